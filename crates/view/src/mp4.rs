//! MP4 files with H.264 video, which every browser and player shows.
//!
//! Colours are stored as the standards for small pictures say (BT.601 matrix, limited range) with the primaries
//! and the transfer function of sRGB, and the stream says so: what a player shows are the colours of the frames.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use deepq_core::Frame;
use muxide::api::{Muxer, MuxerBuilder, MuxerError, VideoCodec};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
    QpRange, RateControlMode, TransferCharacteristics, VuiConfig,
};
use openh264::formats::{RgbSliceU8, YUVBuffer};
use tempfile::NamedTempFile;

use crate::frame_ops::{enlarge, pad_to_even};

/// The longest side of a video, in pixels, that the encoder takes.
pub const MAX_LONG_SIDE: usize = 3840;

/// The longest shorter side of a video, in pixels, that the encoder takes.
pub const MAX_SHORT_SIDE: usize = 2160;

/// The most frames per second.
pub const MAX_FRAMES_PER_SECOND: f64 = 1000.0;

/// Frames with a side shorter than this many pixels are enlarged: players show a 10 × 10 video as a dot, the
/// encoder needs 16 pixels, and colours are stored for 2 × 2 pixels only.
const ENLARGE_BELOW: usize = 64;

/// The shorter side, in pixels, that enlarged frames reach at least.
const ENLARGE_TO: usize = 128;

/// The quantiser of every block, 0 (lossless) to 51. At 22 a drawing comes back with 50 dB; each six more halve the
/// precision.
const QUANTISER: u8 = 22;

/// A key frame, which a player can jump to, comes this often.
const SECONDS_BETWEEN_KEY_FRAMES: f64 = 3.0;

/// A video file being written.
///
/// The file appears under its name only when [`finish`](Self::finish) succeeds; until then it is a temporary one
/// beside it, which goes away if the writer is dropped.
///
/// ```
/// use deepq_core::Frame;
/// use deepq_view::mp4::Mp4Writer;
///
/// let directory = tempfile::tempdir().unwrap();
/// let mut writer = Mp4Writer::create(directory.path().join("white.mp4"), 600, 400, 50.0)?;
/// for _ in 0..100 {
///     writer.write(&Frame::filled(600, 400, [255, 255, 255]))?;
/// }
/// let stats = writer.finish()?;
/// assert_eq!((stats.frames, stats.duration.as_secs()), (100, 2));
/// # Ok::<(), deepq_view::mp4::Mp4Error>(())
/// ```
pub struct Mp4Writer {
    path: PathBuf,
    temporary: NamedTempFile,
    width: usize,
    height: usize,
    factor: usize,
    frames_per_second: f64,
    frames: u64,
    encoder: Encoder,
    planes: YUVBuffer,
    stream: Vec<u8>,
    muxer: Muxer<Vec<u8>>,
}

/// What a finished video holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mp4Stats {
    /// Frames in the file.
    pub frames: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Playing time.
    pub duration: Duration,
}

/// Why a video could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    /// Frames of this size cannot be encoded.
    #[error(
        "{path}: frames of {width} × {height} pixels cannot become a video: the sides must be 1 to {MAX_LONG_SIDE} \
         pixels, the shorter one at most {MAX_SHORT_SIDE} and at least a hundredth of the longer"
    )]
    Size {
        /// The video file.
        path: String,
        /// Columns asked for.
        width: usize,
        /// Rows asked for.
        height: usize,
    },
    /// A frame rate that no video has.
    #[error("{path}: {found} frames per second: must be above 0 and at most {MAX_FRAMES_PER_SECOND}")]
    FrameRate {
        /// The video file.
        path: String,
        /// Frames per second asked for.
        found: f64,
    },
    /// A frame of another size than the video's.
    #[error(
        "{path}: frame {frame} has {} × {} pixels, the video {} × {}", found.0, found.1, expected.0, expected.1
    )]
    FrameSize {
        /// The video file.
        path: String,
        /// Number of the frame, from 0.
        frame: u64,
        /// Its columns and rows.
        found: (usize, usize),
        /// The video's columns and rows.
        expected: (usize, usize),
    },
    /// A video of no frame.
    #[error("{path}: no frame was written, and a video needs at least one; no file was made")]
    Empty {
        /// The video file.
        path: String,
    },
    /// The encoder refused.
    #[error("{path}: the H.264 encoder failed at frame {frame}: {source}")]
    Encoder {
        /// The video file.
        path: String,
        /// Number of the frame, from 0.
        frame: u64,
        /// The encoder's own words.
        source: openh264::Error,
    },
    /// The frames could not be put into an MP4 file.
    #[error("{path}: the MP4 file could not be put together: {source}")]
    Container {
        /// The video file.
        path: String,
        /// What did not fit.
        source: MuxerError,
    },
    /// The file system refused.
    #[error("{path}: the video could not be {action}: {source}")]
    Io {
        /// The video file.
        path: String,
        /// What was tried: `created`, `written` …
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl Mp4Writer {
    /// Starts the video `path` of frames of `width` × `height` pixels, `frames_per_second` of which are shown each
    /// second.
    ///
    /// Odd sides get one pixel more (the last one repeated). Frames with a side below 64 pixels are enlarged by the
    /// whole factor that brings it to at least 128.
    ///
    /// # Errors
    /// If the size or the rate cannot be encoded, or a file cannot be made in the directory of `path`.
    pub fn create(
        path: impl AsRef<Path>,
        width: usize,
        height: usize,
        frames_per_second: f64,
    ) -> Result<Self, Mp4Error> {
        let path = path.as_ref();
        let name = || path.display().to_string();
        let Some((factor, video_width, video_height)) = video_size(width, height) else {
            return Err(Mp4Error::Size { path: name(), width, height });
        };
        if !(frames_per_second > 0.0 && frames_per_second <= MAX_FRAMES_PER_SECOND) {
            return Err(Mp4Error::FrameRate { path: name(), found: frames_per_second });
        }
        let temporary = temporary_beside(path).map_err(|source| Mp4Error::Io {
            path: name(),
            action: "created",
            source,
        })?;
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), encoder_config(frames_per_second))
            .map_err(|source| Mp4Error::Encoder { path: name(), frame: 0, source })?;
        let muxer = MuxerBuilder::new(Vec::new())
            .video(VideoCodec::H264, video_width as u32, video_height as u32, frames_per_second)
            .with_fast_start(true)
            .build()
            .map_err(|source| Mp4Error::Container { path: name(), source })?;
        Ok(Self {
            path: path.to_path_buf(),
            temporary,
            width,
            height,
            factor,
            frames_per_second,
            frames: 0,
            encoder,
            planes: YUVBuffer::new(video_width, video_height),
            stream: Vec::new(),
            muxer,
        })
    }

    /// Adds one frame.
    ///
    /// # Errors
    /// If its size is not the video's, or the encoder fails.
    pub fn write(&mut self, frame: &Frame) -> Result<(), Mp4Error> {
        let (found, expected) = ((frame.width(), frame.height()), (self.width, self.height));
        if found != expected {
            return Err(Mp4Error::FrameSize { path: self.name(), frame: self.frames, found, expected });
        }
        if self.factor > 1 {
            self.convert(&enlarge(frame, self.factor));
        } else {
            self.convert(frame);
        }
        self.encode()
    }

    /// Completes the video and gives it its name; a file of that name is replaced.
    ///
    /// A single frame is written twice: it lasts until the next one begins.
    ///
    /// # Errors
    /// If no frame was written, or the file cannot be written; then there is no new file.
    pub fn finish(mut self) -> Result<Mp4Stats, Mp4Error> {
        let path = self.name();
        if self.frames == 0 {
            return Err(Mp4Error::Empty { path });
        }
        if self.frames == 1 {
            self.encode()?;
        }
        let container = |source| Mp4Error::Container { path: path.clone(), source };
        let stats = self.muxer.finish_in_place_with_stats().map_err(container)?;
        let bytes = self.muxer.into_writer();
        let io = |action| {
            let path = path.clone();
            move |source| Mp4Error::Io { path, action, source }
        };
        self.temporary.write_all(&bytes).map_err(io("written"))?;
        self.temporary.as_file().sync_data().map_err(io("written to disk"))?;
        self.temporary.persist(&self.path).map_err(|error| io("given its name")(error.error))?;
        Ok(Mp4Stats {
            frames: stats.video_frames,
            bytes: bytes.len() as u64,
            duration: Duration::from_secs_f64(self.frames as f64 / self.frames_per_second),
        })
    }

    /// The file that [`finish`](Self::finish) makes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn convert(&mut self, frame: &Frame) {
        let frame = pad_to_even(frame);
        self.planes.read_rgb8(RgbSliceU8::new(frame.rgb(), (frame.width(), frame.height())));
    }

    /// Adds the planes to the video.
    fn encode(&mut self) -> Result<(), Mp4Error> {
        let encoded = self.encoder.encode(&self.planes).map_err(|source| Mp4Error::Encoder {
            path: self.path.display().to_string(),
            frame: self.frames,
            source,
        })?;
        self.stream.clear();
        encoded.write_vec(&mut self.stream);
        let is_key_frame = matches!(encoded.frame_type(), FrameType::IDR);
        let seconds = self.frames as f64 / self.frames_per_second;
        self.muxer
            .write_video(seconds, &self.stream, is_key_frame)
            .map_err(|source| Mp4Error::Container { path: self.path.display().to_string(), source })?;
        self.frames += 1;
        Ok(())
    }
}

impl fmt::Debug for Mp4Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mp4Writer")
            .field("path", &self.path)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

/// The factor by which frames are enlarged, and the video's columns and rows; `None` if it cannot be encoded.
fn video_size(width: usize, height: usize) -> Option<(usize, usize, usize)> {
    let (short, long) = (width.min(height), width.max(height));
    if short == 0 || long > MAX_LONG_SIDE || short > MAX_SHORT_SIDE || long > 100 * short {
        return None;
    }
    let factor =
        if short < ENLARGE_BELOW { ENLARGE_TO.div_ceil(short).min(MAX_LONG_SIDE / long).max(1) } else { 1 };
    Some((factor, (factor * width).next_multiple_of(2), (factor * height).next_multiple_of(2)))
}

/// Settings measured on CartPole's 600 × 400 drawings. Equal bounds of the quantiser make its quality constant; the
/// rate control's own `Off` would ignore them and take 26. One thread per video, since two slow each other down on
/// pictures of this size: several videos are better encoded at once.
fn encoder_config(frames_per_second: f64) -> EncoderConfig {
    let key_frame_period = (SECONDS_BETWEEN_KEY_FRAMES * frames_per_second).round().max(1.0) as u32;
    EncoderConfig::new()
        .max_frame_rate(FrameRate::from_hz(frames_per_second.clamp(1.0, 60.0) as f32))
        .rate_control_mode(RateControlMode::Bufferbased)
        .bitrate(BitRate::from_bps(5_000_000))
        .qp(QpRange::new(QUANTISER, QUANTISER))
        .complexity(Complexity::Low)
        .skip_frames(false)
        .scene_change_detect(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .intra_frame_period(IntraFramePeriod::from_num_frames(key_frame_period))
        .num_threads(1)
        .vui(
            VuiConfig::bt601()
                .color_primaries(ColorPrimaries::Bt709)
                .transfer_characteristics(TransferCharacteristics::Srgb),
        )
}

/// A file in the directory of `path` that is removed unless it is given a name.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    with_usual_permissions(&mut builder);
    builder.tempfile_in(directory)
}

/// Temporary files are for their owner alone, a video is for whom the user's mask says.
#[cfg(unix)]
fn with_usual_permissions(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn with_usual_permissions(_: &mut tempfile::Builder<'_, '_>) {}
