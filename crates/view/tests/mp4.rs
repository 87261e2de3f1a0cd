//! MP4 files, read back by a small reader of their boxes, by ffmpeg and by Chromium.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{any_tool, cart_pole, tool};
use deepq_core::Frame;
use deepq_view::mp4::{Mp4Error, Mp4Stats, Mp4Writer};
use tempfile::tempdir;

fn encode(path: &Path, frames: &[Frame], frames_per_second: f64) -> Mp4Stats {
    let mut writer =
        Mp4Writer::create(path, frames[0].width(), frames[0].height(), frames_per_second).unwrap();
    for frame in frames {
        writer.write(frame).unwrap();
    }
    writer.finish().unwrap()
}

fn cart_poles(count: usize) -> Vec<Frame> {
    (0..count).map(cart_pole).collect()
}

/// Colours and shapes of every size: nothing lines up with the blocks of the encoder.
fn pattern(width: usize, height: usize, step: usize) -> Frame {
    let mut frame = Frame::filled(width, height, [40, 60, 90]);
    for (index, pixel) in frame.rgb_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (index % width, index / width);
        if ((x + step) / 9).is_multiple_of(3) && (y / 7).is_multiple_of(2) {
            pixel.copy_from_slice(&[230, 200, 60]);
        }
    }
    frame
}

// ---- the boxes

/// The payloads of the boxes named `kind` directly inside `data`.
fn boxes<'a>(data: &'a [u8], kind: &[u8; 4]) -> Vec<&'a [u8]> {
    let (mut rest, mut found) = (data, Vec::new());
    while rest.len() >= 8 {
        let size = u32_at(rest, 0) as usize;
        assert!(size >= 8 && size <= rest.len(), "a box of {size} bytes in {} bytes", rest.len());
        if &rest[4..8] == kind {
            found.push(&rest[8..size]);
        }
        rest = &rest[size..];
    }
    found
}

fn inside<'a>(data: &'a [u8], path: &[&[u8; 4]]) -> &'a [u8] {
    path.iter().fold(data, |data, kind| {
        let found = boxes(data, kind);
        assert_eq!(found.len(), 1, "boxes named {}", String::from_utf8_lossy(*kind));
        found[0]
    })
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(data[at..at + 4].try_into().unwrap())
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(data[at..at + 2].try_into().unwrap())
}

/// What the boxes of a file say.
#[derive(Debug, PartialEq)]
struct Movie {
    codec: String,
    width: u16,
    height: u16,
    samples: u32,
    key_frames: u32,
    seconds: f64,
}

fn read_movie(file: &[u8]) -> Movie {
    let kinds: Vec<&[u8]> = {
        let (mut rest, mut kinds) = (file, Vec::new());
        while !rest.is_empty() {
            kinds.push(&rest[4..8]);
            rest = &rest[u32_at(rest, 0) as usize..];
        }
        kinds
    };
    assert_eq!(kinds, [b"ftyp", b"moov", b"mdat"], "the index must stand before the data");
    let media = inside(file, &[b"moov", b"trak", b"mdia"]);
    let timescale = u32_at(inside(media, &[b"mdhd"]), 12);
    let table = inside(media, &[b"minf", b"stbl"]);
    let description = inside(table, &[b"stsd"]);
    let entry = &description[8..];
    let times = inside(table, &[b"stts"]);
    let runs = 0..u32_at(times, 4) as usize;
    let run = |index: usize| (u32_at(times, 8 + 8 * index), u32_at(times, 12 + 8 * index));
    let samples = u32_at(inside(table, &[b"stsz"]), 8);
    assert_eq!(runs.clone().map(|index| run(index).0).sum::<u32>(), samples, "stts and stsz disagree");
    let ticks: u64 = runs.map(run).map(|(count, delta)| u64::from(count) * u64::from(delta)).sum();
    Movie {
        codec: String::from_utf8_lossy(&entry[4..8]).into_owned(),
        width: u16_at(entry, 8 + 24),
        height: u16_at(entry, 8 + 26),
        samples,
        key_frames: u32_at(inside(table, &[b"stss"]), 4),
        seconds: ticks as f64 / f64::from(timescale),
    }
}

fn movie(width: u16, height: u16, samples: u32, key_frames: u32, seconds: f64) -> Movie {
    Movie { codec: "avc1".into(), width, height, samples, key_frames, seconds }
}

#[test]
fn the_boxes_say_what_was_written() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("cart.mp4");
    let stats = encode(&path, &cart_poles(320), 50.0);
    let file = fs::read(&path).unwrap();
    assert_eq!(read_movie(&file), movie(600, 400, 320, 3, 6.4));
    assert_eq!(
        stats,
        Mp4Stats { frames: 320, bytes: file.len() as u64, duration: Duration::from_millis(6400) }
    );
    assert!(stats.bytes < 320 * 400, "{} bytes for 320 frames", stats.bytes);
}

#[test]
fn odd_and_small_sizes_become_videos() {
    let directory = tempdir().unwrap();
    // Size of the frames, and of the video.
    let sizes = [
        ((601, 401), (602, 402)),
        ((65, 64), (66, 64)),
        ((84, 84), (84, 84)),
        ((160, 210), (160, 210)),
        ((10, 10), (130, 130)),
        ((1, 1), (128, 128)),
        ((63, 63), (190, 190)),
        ((3840, 39), (3840, 40)),
    ];
    for ((width, height), (video_width, video_height)) in sizes {
        let path = directory.path().join(format!("{width}x{height}.mp4"));
        let frames: Vec<Frame> = (0..3).map(|step| pattern(width, height, step)).collect();
        encode(&path, &frames, 10.0);
        assert_eq!(read_movie(&fs::read(&path).unwrap()), movie(video_width, video_height, 3, 1, 0.3));
    }
}

#[test]
fn every_rate_gives_the_right_duration() {
    let directory = tempdir().unwrap();
    for (rate, count) in [(1.0, 2), (4.0, 3), (29.97, 100), (50.0, 2), (120.0, 60)] {
        let path = directory.path().join(format!("{rate}.mp4"));
        let frames: Vec<Frame> = (0..count).map(|step| pattern(80, 64, step)).collect();
        let stats = encode(&path, &frames, rate);
        let movie = read_movie(&fs::read(&path).unwrap());
        let expected = count as f64 / rate;
        assert!((movie.seconds - expected).abs() < 1e-3, "{rate} Hz: {} s, not {expected} s", movie.seconds);
        assert!((stats.duration.as_secs_f64() - expected).abs() < 1e-6);
    }
}

#[test]
fn a_single_frame_is_shown_twice_to_last_at_all() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("single.mp4");
    let stats = encode(&path, &[pattern(80, 64, 0)], 50.0);
    assert_eq!((stats.frames, stats.duration), (2, Duration::from_millis(40)));
    assert_eq!(read_movie(&fs::read(&path).unwrap()), movie(80, 64, 2, 1, 0.04));
}

// ---- what goes wrong

fn names_in(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn without_finish_no_file_stays() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("half.mp4");
    let mut writer = Mp4Writer::create(&path, 64, 64, 10.0).unwrap();
    writer.write(&pattern(64, 64, 0)).unwrap();
    assert_eq!(names_in(directory.path()).len(), 1);
    assert!(!path.exists(), "an unfinished video has its final name");
    drop(writer);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn a_video_without_frames_is_an_error_that_says_so() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("empty.mp4");
    let error = Mp4Writer::create(&path, 64, 64, 10.0).unwrap().finish().unwrap_err();
    assert!(matches!(error, Mp4Error::Empty { .. }));
    assert!(error.to_string().contains("no frame was written"), "{error}");
    assert!(error.to_string().contains("empty.mp4"), "{error}");
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn a_finished_video_replaces_the_one_before() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("again.mp4");
    encode(&path, &[pattern(64, 64, 0)], 10.0);
    encode(&path, &[pattern(64, 64, 0), pattern(64, 64, 1)], 10.0);
    assert_eq!(read_movie(&fs::read(&path).unwrap()).samples, 2);
    assert_eq!(names_in(directory.path()), ["again.mp4"]);
}

#[test]
fn bad_sizes_and_rates_are_refused_by_name() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("bad.mp4");
    for (width, height) in [(0, 0), (0, 10), (10, 0), (4000, 100), (3000, 3000), (3000, 2), (usize::MAX, 1)] {
        let error = Mp4Writer::create(&path, width, height, 10.0).unwrap_err().to_string();
        assert!(error.contains("bad.mp4") && error.contains(&format!("{width} × {height}")), "{error}");
    }
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        let error = Mp4Writer::create(&path, 10, 10, rate).unwrap_err().to_string();
        assert!(error.contains("bad.mp4") && error.contains("frames per second"), "{error}");
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn a_frame_of_another_size_is_refused_and_the_video_goes_on() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("mixed.mp4");
    let mut writer = Mp4Writer::create(&path, 64, 64, 10.0).unwrap();
    writer.write(&pattern(64, 64, 0)).unwrap();
    let error = writer.write(&pattern(64, 66, 1)).unwrap_err().to_string();
    assert!(error.contains("frame 1 has 64 × 66 pixels, the video 64 × 64"), "{error}");
    writer.write(&pattern(64, 64, 1)).unwrap();
    assert_eq!(writer.finish().unwrap().frames, 2);
}

#[test]
fn places_where_no_file_can_be_are_refused_by_name() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    for path in
        [directory.path().join("missing/video.mp4"), file.join("video.mp4"), directory.path().to_path_buf()]
    {
        let error = Mp4Writer::create(&path, 64, 64, 10.0).unwrap_err();
        assert!(matches!(error, Mp4Error::Io { action: "created", .. }), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

/// Run by [`a_full_disk_leaves_the_old_video`] in a process that may write files of 1 KiB only.
#[test]
fn child_writes_a_video() {
    let Some(path) = std::env::var_os("DEEPQ_TEST_VIDEO") else { return };
    let frames: Vec<Frame> = (0..20).map(|step| pattern(300, 200, step)).collect();
    let mut writer = Mp4Writer::create(&path, 300, 200, 10.0).unwrap();
    for frame in &frames {
        writer.write(frame).unwrap();
    }
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, Mp4Error::Io { action: "written", .. }), "{error:?}");
    assert!(error.to_string().contains("video.mp4"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_video() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("video.mp4");
    fs::write(&path, "the old video").unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact child_writes_a_video"])
        .arg(std::env::current_exe().unwrap())
        .env("DEEPQ_TEST_VIDEO", &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "the old video");
    assert_eq!(names_in(directory.path()), ["video.mp4"]);
}

#[cfg(unix)]
#[test]
fn others_may_read_a_video_as_the_mask_says() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir().unwrap();
    let (plain, video) = (directory.path().join("plain"), directory.path().join("video.mp4"));
    fs::write(&plain, "").unwrap();
    encode(&video, &[pattern(64, 64, 0)], 10.0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&video), mode(&plain));
}

// ---- other programs

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {complaints}");
    output.stdout
}

#[test]
fn ffprobe_agrees() {
    let Some(ffprobe) = tool("ffprobe") else { return };
    let directory = tempdir().unwrap();
    let path = directory.path().join("cart.mp4");
    encode(&path, &cart_poles(200), 50.0);
    let entries = "stream=codec_name,profile,width,height,pix_fmt,color_range,color_space,color_transfer,\
                   color_primaries,r_frame_rate,nb_read_frames:format=duration";
    let probed = output(
        Command::new(ffprobe)
            .args([
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                entries,
                "-of",
                "default=noprint_wrappers=1",
            ])
            .arg(&path),
    );
    let probed = String::from_utf8(probed).unwrap();
    for line in [
        "codec_name=h264",
        "profile=Constrained Baseline",
        "width=600",
        "height=400",
        "pix_fmt=yuv420p",
        "color_range=tv",
        "color_space=smpte170m",
        "color_transfer=iec61966-2-1",
        "color_primaries=bt709",
        "r_frame_rate=50/1",
        "nb_read_frames=200",
        "duration=4.000000",
    ] {
        assert!(probed.lines().any(|found| found == line), "no {line} in\n{probed}");
    }
}

/// Peak signal-to-noise ratio in decibels, over all frames and the three channels.
fn psnr(decoded: &[u8], frames: &[Frame]) -> f64 {
    let source = frames.iter().flat_map(|frame| frame.rgb());
    let squared: f64 = decoded.iter().zip(source).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * decoded.len() as f64 / squared).log10()
}

#[test]
fn decoded_frames_look_like_the_source() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let directory = tempdir().unwrap();
    let path = directory.path().join("cart.mp4");
    let frames = cart_poles(200);
    encode(&path, &frames, 50.0);
    let decoded = output(Command::new(ffmpeg).args(["-v", "error", "-i"]).arg(&path).args([
        "-sws_flags",
        "accurate_rnd+full_chroma_int",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]));
    let frame_bytes = 3 * 600 * 400;
    assert_eq!(decoded.len(), 200 * frame_bytes);
    let whole = psnr(&decoded, &frames);
    assert!(whole > 48.0, "{whole:.1} dB over all frames");
    for (index, frame) in frames.iter().enumerate() {
        let one = psnr(&decoded[index * frame_bytes..][..frame_bytes], std::slice::from_ref(frame));
        assert!(one > 44.0, "frame {index} has {one:.1} dB");
    }
    // The frames must not be late or early: a neighbour is a worse match.
    let shifted = psnr(&decoded[frame_bytes..], &frames[..199]);
    assert!(shifted < whole - 3.0, "{shifted:.1} dB for shifted frames, {whole:.1} dB for the right ones");
}

/// Plays a video and writes what the browser says about it into the page.
const PAGE: &str = include_str!("player.html");

#[test]
fn chromium_plays_it_with_the_right_colours() {
    let Some(chromium) = any_tool(&["chromium", "chromium-browser"]) else { return };
    let directory = tempdir().unwrap();
    let video = directory.path().join("colours.mp4");
    let colours = [[202, 152, 101], [210, 30, 40], [40, 190, 60], [255, 255, 255]];
    let mut frame = Frame::filled(300, 200, colours[0]);
    for (index, pixel) in frame.rgb_mut().chunks_exact_mut(3).enumerate() {
        pixel.copy_from_slice(&colours[index % 300 / 150 + 2 * (index / 300 / 100)]);
    }
    encode(&video, &vec![frame; 25], 50.0);
    let page = directory.path().join("page.html");
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, fs::read(&video).unwrap());
    fs::write(&page, PAGE.replace("VIDEO", &data)).unwrap();
    let dump = output(
        Command::new(chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--autoplay-policy=no-user-gesture-required",
            ])
            .arg("--dump-dom")
            .arg(format!("--user-data-dir={}", directory.path().join("profile").display()))
            .arg(format!("file://{}", page.display())),
    );
    let dump = String::from_utf8_lossy(&dump);
    let result = dump.split("id=\"result\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or(&dump);
    let words: Vec<&str> = result.split(' ').collect();
    assert_eq!(&words[..words.len().min(3)], ["played", "300x200", "0.5"], "Chromium said: {result}");
    for (found, expected) in words[3..].iter().zip(colours) {
        let found: Vec<u8> = found.split(',').map(|channel| channel.parse().unwrap()).collect();
        let off = found.iter().zip(expected).map(|(&a, b)| a.abs_diff(b)).max().unwrap();
        assert!(off <= 4, "Chromium shows {found:?} for {expected:?}");
    }
}
