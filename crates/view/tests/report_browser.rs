//! Chromium shows the report: on a desk and on a phone, light and dark, with videos that it can read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

#[path = "common/runs.rs"]
mod runs;
#[path = "../../../xtask/skip.rs"]
mod skip;
use runs::{filmed, reported, trained};

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

#[test]
fn chromium_shows_the_report_in_every_size_and_theme() {
    let Some(program) = find_chromium() else {
        return skip::skip("chromium_shows_the_report_in_every_size_and_theme", "there is no chromium");
    };
    let folder = tempdir().unwrap();
    let run = trained(folder.path().join("run"), 1, &[]);
    filmed(&run, 2, 1);
    let (_, page) = reported(&[run]);
    // The probe is a script, which the page itself forbids.
    let policy = page.find("<meta http-equiv").unwrap();
    let policy_end = policy + page[policy..].find('\n').unwrap();
    let probed =
        format!("{}{}", &page[..policy], &page[policy_end..]).replace("</main>", &format!("{PROBE}</main>"));
    let path = folder.path().join("probed.html");
    fs::write(&path, probed).unwrap();
    let frame = folder.path().join("frame.html");
    for (width, svgs) in [(1280, 5), (390, 5)] {
        fs::write(&frame, FRAME.replace("WIDTH", &width.to_string())).unwrap();
        for (theme, ground, ink) in
            [(1, "rgb(246,247,249)", "rgb(93,100,114)"), (0, "rgb(15,18,23)", "rgb(164,172,186)")]
        {
            let theme = format!("--blink-settings=preferredColorScheme={theme}");
            let dump = dump(&program, &folder.path().join("profile"), &theme, &frame);
            let said =
                dump.split("id=\"probe\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or(&dump);
            assert_eq!(
                said,
                format!("true-600x400,true-600x400 fits {width} {ground} {ink} {svgs} true"),
                "width {width}"
            );
        }
    }
}
