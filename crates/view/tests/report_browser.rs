//! Chromium shows the report: on a desk and on a phone, light and dark, with videos that it can read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

#[path = "common/runs.rs"]
mod runs;
#[path = "../../../xtask/skip.rs"]
mod skip;
use runs::{edit_info, filmed, reported, trained};

/// Waits for the videos, then writes into the page what the browser made of it.
const PROBE: &str = r#"<iframe id="hold"></iframe><script>
const hold = document.getElementById('hold').contentDocument; hold.open();
const videos = [...document.querySelectorAll('video')];
const say = () => {
  parent.postMessage([
    videos.map(v => v.error ? `error-${v.error.message}` : `${v.readyState >= 1}-${v.videoWidth}x${v.videoHeight}`).join(','),
    document.documentElement.scrollWidth > innerWidth ? 'scrolls' : 'fits', innerWidth,
    getComputedStyle(document.body).backgroundColor.replaceAll(' ', ''),
    getComputedStyle(document.querySelector('svg text')).fill.replaceAll(' ', ''),
    [...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0).length,
    Math.max(0, ...videos.map(v => v.getBoundingClientRect().right)) <= innerWidth,
  ].join(' '), '*');
  setTimeout(() => hold.close(), 200);
};
const deadline = Date.now() + 30000;
const wait = () => videos.every(v => v.readyState >= 1 || v.error) || Date.now() > deadline ? say() : setTimeout(wait, 50);
videos.forEach(v => v.load());
wait();
</script>"#;

/// A browser's own window may not be as narrow as a phone, but a frame may. It counts as loading, and is not dumped,
/// while the probe is.
const FRAME: &str = r#"<!doctype html><meta name="color-scheme" content="light dark"><p id="probe">waiting</p>
<script>onmessage = message => { document.getElementById('probe').textContent = message.data; };</script>
<iframe src="probed.html" style="border:0" height="900" width="WIDTH"></iframe>"#;

fn find_chromium() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser"];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

fn dump(program: &Path, profile: &Path, theme: &str, page: &Path) -> String {
    let output = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom", theme])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the probe says of a page of this width in this theme (1 is light, 0 dark).
fn said(program: &Path, folder: &Path, page: &str, width: u32, theme: u32) -> String {
    // The probe is a script, which the page itself forbids.
    let policy = page.find("<meta http-equiv").unwrap();
    let policy_end = policy + page[policy..].find('\n').unwrap();
    let probed =
        format!("{}{}", &page[..policy], &page[policy_end..]).replace("</main>", &format!("{PROBE}</main>"));
    fs::write(folder.join("probed.html"), probed).unwrap();
    let frame = folder.join("frame.html");
    fs::write(&frame, FRAME.replace("WIDTH", &width.to_string())).unwrap();
    let theme = format!("--blink-settings=preferredColorScheme={theme}");
    let dump = dump(program, &folder.join("profile"), &theme, &frame);
    let said = dump.split("id=\"probe\">").nth(1).and_then(|rest| rest.split('<').next());
    said.unwrap_or(&dump).to_owned()
}

const LIGHT: &str = "rgb(246,247,249) rgb(93,100,114)";
const DARK: &str = "rgb(15,18,23) rgb(164,172,186)";

#[test]
fn chromium_shows_the_report_in_every_size_and_theme() {
    let Some(program) = find_chromium() else {
        return skip::skip("chromium_shows_the_report_in_every_size_and_theme", "there is no chromium");
    };
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    filmed(&run, 2, 1);
    let (_, page) = reported(&[run]);
    for width in [1280, 390] {
        for (theme, colours) in [(1, LIGHT), (0, DARK)] {
            let said = said(&program, folder.path(), &page, width, theme);
            let expected = format!("true-600x400,true-600x400 fits {width} {colours} 5 true");
            assert_eq!(said, expected, "width {width}");
        }
    }
}

#[test]
fn chromium_shows_the_comparison_in_every_size_and_theme() {
    let Some(program) = find_chromium() else {
        return skip::skip("chromium_shows_the_comparison_in_every_size_and_theme", "there is no chromium");
    };
    let folder = tempdir().unwrap();
    let long = "a-preset-with-a-name-that-is-much-longer-than-any-screen-of-a-phone-is-wide";
    for (preset, seed) in [(long, 1), (long, 2), ("short", 1), ("short", 2)] {
        let run = trained(folder.path().join(format!("{}-{seed}", &preset[..5])), seed, &[]);
        edit_info(&run, |info| info["preset"] = preset.into());
    }
    let comparison = deepq::run::Comparison::of(&[folder.path().to_owned()]).unwrap();
    let out = folder.path().join("compare.html");
    deepq_view::report::write_comparison(&comparison, &out).unwrap();
    let page = fs::read_to_string(out).unwrap();
    for width in [1280, 390] {
        for (theme, colours) in [(1, LIGHT), (0, DARK)] {
            let said = said(&program, folder.path(), &page, width, theme);
            assert_eq!(said, format!(" fits {width} {colours} 4 true"), "width {width}");
        }
    }
}
