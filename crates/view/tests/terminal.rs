//! The terminal screen, in tmux.

#![cfg(unix)]

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{cart_pole, tool};
use deepq_view::player::{Pacer, Screen, Status};
use deepq_view::terminal::Terminal;
use tempfile::{TempDir, tempdir};

/// A tmux server of our own with one pane that runs a shell.
struct Pane {
    tmux: PathBuf,
    directory: TempDir,
}

impl Drop for Pane {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

impl Pane {
    fn open(tmux: PathBuf, columns: u16, rows: u16) -> Self {
        let pane = Self { tmux, directory: tempdir().unwrap() };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let start =
            ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, "env PS1='prompt> ' sh"];
        let started = pane.tmux(&start);
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        pane.wait_for("prompt>");
        pane
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.directory.path().join("socket");
        Command::new(&self.tmux).arg("-S").arg(socket).args(arguments).env_remove("TMUX").output().unwrap()
    }

    fn said(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.tmux(arguments).stdout).unwrap()
    }

    /// What stands on the screen, without colours.
    fn text(&self) -> String {
        self.said(&["capture-pane", "-p"])
    }

    fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&[&["send-keys"], keys].concat()).status.success());
    }

    /// Runs a part of this test program in the shell.
    fn run(&self, name: &str) {
        let program = std::env::current_exe().unwrap();
        let line = format!("DEEPQ_TEST_PART={name} {} --exact {name} --nocapture", program.display());
        self.press(&[&line, "Enter"]);
    }

    fn wait_for(&self, wanted: &str) -> String {
        self.wait_until(wanted, |text| text.contains(wanted))
    }

    fn wait_until(&self, what: &str, ready: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let text = self.text();
            if ready(&text) {
                return text;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "waiting for {what:?}, the screen shows\n{text}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_on_alternate_screen(&self) -> bool {
        self.said(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }

    /// The shell must have its terminal back as it was: line mode, echo, cursor, the screen's old contents.
    fn check_restored(&self) {
        assert!(!self.is_on_alternate_screen());
        assert_eq!(
            self.said(&["display-message", "-p", "#{cursor_flag}"]).trim(),
            "1",
            "the cursor is hidden"
        );
        self.press(&["clear; stty -a | grep -c ' icanon' && stty -a | grep -c ' echo '", "Enter"]);
        self.wait_for("1\n1\n");
    }
}

fn is_part(name: &str) -> bool {
    std::env::var_os("DEEPQ_TEST_PART").is_some_and(|part| part == name)
}

fn status(step: usize) -> Status {
    Status::new("CartPole-v1")
        .with("episode", 12)
        .with("step", step)
        .with("return", format!("{step}.0"))
        .with("epsilon", "0.050")
        .with("loss", "0.0123")
}

/// Shows frames until a key ends it.
#[test]
fn part_shows_until_a_key() {
    if !is_part("part_shows_until_a_key") {
        return;
    }
    let mut terminal = Terminal::open().unwrap();
    let mut pacer = Pacer::new(Some(50.0)).unwrap();
    let start = Instant::now();
    for step in 0.. {
        let flow = Screen::show(&mut terminal, &cart_pole(step), &status(step)).unwrap();
        if flow.is_break() || pacer.wait(&mut terminal).unwrap().is_break() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no key came");
    }
    drop(terminal);
    println!("the user ended it");
}

#[test]
fn part_panics_while_shown() {
    if is_part("part_panics_while_shown") {
        let mut terminal = Terminal::open().unwrap();
        assert!(Screen::show(&mut terminal, &cart_pole(0), &status(0)).unwrap().is_continue());
        panic!("a fault of the program");
    }
}

#[test]
fn part_says_why_not() {
    if is_part("part_says_why_not") {
        println!("error: {}", Terminal::open().unwrap_err());
    }
}

#[test]
fn without_a_terminal_the_error_says_what_to_do() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "part_says_why_not", "--nocapture"])
        .env("DEEPQ_TEST_PART", "part_says_why_not")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("error: standard output is not a terminal"), "{said}");
    assert!(said.contains("--render window"), "{said}");
}

fn half_blocks(text: &str) -> usize {
    text.chars().filter(|&symbol| symbol == '▀').count()
}

/// The foregrounds and backgrounds in true colour that the escape sequences of a captured screen name.
fn colours(captured: &str) -> Vec<[u8; 3]> {
    captured
        .split("8;2;")
        .skip(1)
        .map(|rest| {
            let numbers = rest.split(|symbol: char| !symbol.is_ascii_digit());
            let channels: Vec<u8> = numbers.take(3).map(|number| number.parse().unwrap()).collect();
            channels.try_into().unwrap()
        })
        .collect()
}

#[test]
fn it_shows_the_picture_and_the_status_and_q_gives_the_terminal_back() {
    let Some(tmux) = tool("tmux") else { return };
    let pane = Pane::open(tmux, 80, 24);
    pane.run("part_shows_until_a_key");
    let text = pane.wait_for("epsilon 0.050");
    assert!(pane.is_on_alternate_screen());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(" CartPole-v1 ") && lines[0].ends_with("q to quit"), "{text}");
    assert!(lines[23].starts_with(" episode 12   step ") && lines[23].ends_with("loss 0.0123"), "{text}");
    // 22 rows hold 44 pixels of height, and so 66 of width.
    assert_eq!(half_blocks(&text), 22 * 66, "{text}");

    // White around, the cart in black, the pole in its brown, mixed with white where it fills a part of a cell.
    let coloured = pane.said(&["capture-pane", "-e", "-p"]);
    let colours = colours(&coloured);
    assert!(colours.contains(&[255; 3]) && colours.contains(&[0; 3]), "{colours:?}");
    let is_brown = |[red, green, blue]: [u8; 3]| red >= 202 && red - green >= 20 && green - blue >= 20;
    assert!(colours.iter().any(|&colour| is_brown(colour)), "{colours:?}");
    // The title is not dimmed with the hint beside it.
    let title = &coloured[..coloured.find("CartPole-v1").unwrap()];
    assert_eq!(title.trim_end(), "\u{1b}[1m");

    // The picture follows the size of the terminal.
    pane.tmux(&["resize-window", "-x", "120", "-y", "40"]);
    pane.wait_until("a larger picture", |text| half_blocks(text) == 38 * 114);
    pane.tmux(&["resize-window", "-x", "30", "-y", "10"]);
    pane.wait_until("a smaller picture", |text| (1..=6 * 30).contains(&half_blocks(text)));
    pane.tmux(&["resize-window", "-x", "80", "-y", "24"]);

    pane.press(&["q"]);
    pane.wait_for("the user ended it");
    pane.wait_for("1 passed");
    pane.check_restored();
}

#[test]
fn escape_and_control_c_end_it_too() {
    let Some(tmux) = tool("tmux") else { return };
    for key in ["Escape", "C-c"] {
        let pane = Pane::open(tmux.clone(), 80, 24);
        pane.run("part_shows_until_a_key");
        pane.wait_for("epsilon 0.050");
        pane.press(&[key]);
        pane.wait_for("the user ended it");
        pane.check_restored();
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_can_be_read() {
    let Some(tmux) = tool("tmux") else { return };
    let pane = Pane::open(tmux, 80, 50);
    pane.run("part_panics_while_shown");
    let text = pane.wait_for("1 failed");
    assert!(text.contains("a fault of the program"), "{text}");
    pane.check_restored();
}
