//! The window, under a virtual X server.

#![cfg(all(unix, not(target_os = "macos")))]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{cart_pole, tool};
use deepq_core::Frame;
use deepq_view::player::{Pacer, Screen, Status};
use deepq_view::window::Window;

const TITLE: &str = "deepq window test";

/// An X server that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to end, it removes its lock and its socket.
        if !Command::new("kill").arg(self.0.id().to_string()).status().is_ok_and(|status| status.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// A virtual X server of 1024 × 768 pixels, and the display it took.
fn server(xvfb: &Path) -> (Server, String) {
    let mut child = Command::new(xvfb)
        .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut number = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut number).unwrap();
    let server = Server(child);
    assert!(!number.trim().is_empty(), "the X server named no display");
    (server, format!(":{}", number.trim()))
}

/// This test program again, at one of its parts, on a display.
fn part(name: &str, display: Option<&str>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    command.env("DEEPQ_TEST_PART", name).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    if let Some(display) = display {
        command.env("DISPLAY", display);
    }
    command
}

fn is_part(name: &str) -> bool {
    std::env::var_os("DEEPQ_TEST_PART").is_some_and(|part| part == name)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Shows frames until the user closes the window, and says why it ended.
#[test]
fn part_shows_until_closed() {
    if !is_part("part_shows_until_closed") {
        return;
    }
    let mut window = Window::open(TITLE, 600, 400).unwrap();
    let mut pacer = Pacer::new(Some(50.0)).unwrap();
    let start = Instant::now();
    for step in 0.. {
        let status = Status::new(TITLE).with("step", step);
        let flow = Screen::show(&mut window, &cart_pole(step), &status).unwrap();
        if flow.is_break() || pacer.wait(&mut window).unwrap().is_break() {
            println!("the user ended it");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nobody closed the window");
    }
    assert_eq!(Screen::poll(&mut window).unwrap(), ControlFlow::Break(()), "a closed window stays closed");
}

/// Shows a frame of 10 × 10 pixels for a while.
#[test]
fn part_shows_a_small_frame() {
    if !is_part("part_shows_a_small_frame") {
        return;
    }
    let mut frame = Frame::filled(10, 10, [0, 0, 200]);
    frame.rgb_mut()[..3].copy_from_slice(&[200, 0, 0]);
    let mut window = Window::open(TITLE, 10, 10).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) && window.show(&frame, TITLE).unwrap().is_continue() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Opens a window where it cannot, and says the error.
#[test]
fn part_says_why_there_is_none() {
    if is_part("part_says_why_there_is_none") {
        println!("error: {}", Window::open("none", 600, 400).unwrap_err());
    }
}

#[test]
fn without_a_display_the_error_says_what_to_do() {
    let unset = text(&part("part_says_why_there_is_none", None).output().unwrap());
    assert!(
        unset.contains(
            "error: there is no display: $DISPLAY and $WAYLAND_DISPLAY are unset; use --render terminal, or record \
             videos with deepq record"
        ),
        "{unset}"
    );
    let wayland =
        part("part_says_why_there_is_none", None).env("WAYLAND_DISPLAY", "wayland-0").output().unwrap();
    assert!(text(&wayland).contains("windows on Wayland need XWayland"), "{}", text(&wayland));
    for display in [":4242", "nonsense", "missing.invalid:0"] {
        let wrong = part("part_says_why_there_is_none", Some(display)).output().unwrap();
        let said = text(&wrong);
        assert!(wrong.status.success() && said.contains("1 passed"), "{display}: {said}");
        assert!(said.contains("error: no window could be opened"), "{display}: {said}");
    }
}

/// The window of that title, once it is there.
fn find(xdotool: &Path, display: &str) -> String {
    let start = Instant::now();
    loop {
        let search = ["search", "--onlyvisible", "--name", TITLE];
        let found = Command::new(xdotool).args(search).env("DISPLAY", display).output().unwrap();
        let id = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        if !id.is_empty() {
            return id;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "no window appeared");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn xdotool(xdotool: &Path, display: &str, arguments: &[&str]) {
    assert!(Command::new(xdotool).args(arguments).env("DISPLAY", display).status().unwrap().success());
}

/// Asks a window to close as a window manager does when the user clicks its cross: with a WM_DELETE_WINDOW message,
/// in the X protocol's own words (little-endian, lengths in units of four bytes).
fn ask_to_close(display: &str, id: &str) {
    let number = display.trim_start_matches(':');
    let mut server = UnixStream::connect(format!("/tmp/.X11-unix/X{number}")).unwrap();
    let hello = [b"l\0".as_slice(), &11_u16.to_le_bytes(), &[0; 8]].concat();
    server.write_all(&hello).unwrap();
    let mut welcome = [0; 8];
    server.read_exact(&mut welcome).unwrap();
    assert_eq!(welcome[0], 1, "the X server refused the connection");
    let mut rest = vec![0; 4 * usize::from(u16::from_le_bytes([welcome[6], welcome[7]]))];
    server.read_exact(&mut rest).unwrap();

    let protocols = atom(&mut server, b"WM_PROTOCOLS");
    let delete = atom(&mut server, b"WM_DELETE_WINDOW");
    let window: u32 = id.parse().unwrap();
    let client_message = [33, 32, 0, 0];
    let mut event = client_message.to_vec();
    for word in [window, protocols, delete, 0, 0, 0, 0] {
        event.extend(word.to_le_bytes());
    }
    let send_event = [25, 0, 11, 0];
    let no_mask = 0_u32;
    server
        .write_all(&[&send_event[..], &window.to_le_bytes(), &no_mask.to_le_bytes(), &event].concat())
        .unwrap();
    // The answer to a question asked afterwards says that the event was passed on.
    atom(&mut server, b"WM_PROTOCOLS");
}

/// The number that the server gives a name.
fn atom(server: &mut UnixStream, name: &[u8]) -> u32 {
    let padded = name.len().next_multiple_of(4);
    let mut request = vec![16, 0];
    request.extend((2 + padded as u16 / 4).to_le_bytes());
    request.extend((name.len() as u16).to_le_bytes());
    request.extend([0; 2]);
    request.extend(name);
    request.resize(8 + padded, 0);
    server.write_all(&request).unwrap();
    let mut reply = [0; 32];
    server.read_exact(&mut reply).unwrap();
    assert_eq!(reply[0], 1, "the X server reported an error");
    u32::from_le_bytes(reply[8..12].try_into().unwrap())
}

/// The window's size and its pixels, red, green, blue.
fn picture(import: &Path, display: &str, id: &str) -> Frame {
    let shot = Command::new(import)
        .args(["-display", display, "-window", id, "-depth", "8", "ppm:-"])
        .output()
        .unwrap();
    assert!(shot.status.success(), "{}", text(&shot));
    let mut header = shot.stdout.splitn(4, |byte| byte.is_ascii_whitespace());
    let mut number = || std::str::from_utf8(header.next().unwrap()).unwrap().parse::<usize>();
    assert!(number().is_err(), "it starts with P6");
    let (width, height) = (number().unwrap(), number().unwrap());
    let pixels = &shot.stdout[shot.stdout.len() - 3 * width * height..];
    Frame::from_rgb(width, height, pixels.to_vec())
}

/// Waits for the end of a part, which must be a success.
fn end(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && text(&output).contains("1 passed"), "{}", text(&output));
    text(&output)
}

fn spawn(name: &str, display: &str) -> Child {
    part(name, Some(display)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Shows moving frames in a window, looks at it, lets `user` end it, and waits for the end.
fn ended_by(user: impl Fn(&Path, &str, &str)) {
    let (Some(xvfb), Some(xdotool), Some(import)) = (tool("Xvfb"), tool("xdotool"), tool("import")) else {
        return;
    };
    let (_server, display) = server(&xvfb);
    let child = spawn("part_shows_until_closed", &display);
    let id = find(&xdotool, &display);
    let start = Instant::now();
    let shown = loop {
        let shown = picture(&import, &display, &id);
        if shown.pixel(2, 2) == [255; 3] {
            break shown;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "the window stays empty");
    };
    assert_eq!((shown.width(), shown.height()), (600, 400));
    let count = |colour| shown.rgb().chunks_exact(3).filter(|pixel| *pixel == colour).count();
    // Cart and track, pole, axle.
    for (colour, least) in [([0, 0, 0], 1500), ([202, 152, 101], 900), ([129, 132, 203], 50)] {
        assert!(count(colour) >= least, "{} pixels of {colour:?}", count(colour));
    }
    user(&xdotool, &display, &id);
    assert!(end(child).contains("the user ended it"));
}

#[test]
fn closing_the_window_ends_it() {
    ended_by(|_, display, id| ask_to_close(display, id));
}

#[test]
fn escape_ends_it() {
    ended_by(|tool, display, id| xdotool(tool, display, &["windowfocus", "--sync", id, "key", "Escape"]));
}

#[test]
fn q_ends_it() {
    ended_by(|tool, display, id| xdotool(tool, display, &["windowfocus", "--sync", id, "key", "q"]));
}

#[test]
fn small_frames_fill_a_window_of_usual_size() {
    let (Some(xvfb), Some(tool_path), Some(import)) = (tool("Xvfb"), tool("xdotool"), tool("import")) else {
        return;
    };
    let (_server, display) = server(&xvfb);
    let child = spawn("part_shows_a_small_frame", &display);
    let id = find(&tool_path, &display);
    let shown_when = |ready: &dyn Fn(&Frame) -> bool| {
        let start = Instant::now();
        loop {
            let shown = picture(&import, &display, &id);
            if ready(&shown) {
                return shown;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the window did not follow");
        }
    };
    let shown = shown_when(&|shown| shown.pixel(0, 0) == [200, 0, 0]);
    assert_eq!((shown.width(), shown.height()), (640, 640));
    assert_eq!((shown.pixel(63, 63), shown.pixel(64, 63)), ([200, 0, 0], [0, 0, 200]));

    // Made wider, the picture keeps its shape, with a border of 80 pixels at both sides.
    xdotool(&tool_path, &display, &["windowsize", "--sync", &id, "800", "640"]);
    let shown = shown_when(&|shown| shown.width() == 800 && shown.pixel(5, 320) == [32; 3]);
    assert_eq!((shown.pixel(79, 10), shown.pixel(80, 10)), ([32; 3], [200, 0, 0]));
    assert_eq!((shown.pixel(719, 10), shown.pixel(720, 10)), ([0, 0, 200], [32; 3]));
    ask_to_close(&display, &id);
    end(child);
}
