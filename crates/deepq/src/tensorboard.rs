//! TensorBoard event files.
//!
//! An event file is a sequence of records in TensorFlow's TFRecord framing: length (u64, little-endian), masked
//! CRC32C of the length (u32), the payload, masked CRC32C of the payload (u32). Each payload is a protocol buffer
//! `tensorflow.Event`, of which the parts used here are declared in this file (tensorflow/core/util/event.proto,
//! tensorflow/core/framework/summary.proto, tensor.proto).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

/// What TensorBoard expects in the first record of a file.
const FILE_VERSION: &str = "brain.Event:2";
/// Bytes gathered before they go to the file: about a thousand scalars.
const BUFFER_BYTES: usize = 64 * 1024;
/// `DT_STRING` of tensorflow/core/framework/types.proto.
const DATA_TYPE_STRING: i32 = 7;

/// Writes one event file. What was written is in the file for certain after [`flush`](Self::flush); dropping the
/// writer flushes too, but cannot tell of an error.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
    /// The bytes of one event; kept for its capacity.
    payload: Vec<u8>,
}

impl EventWriter {
    /// Makes a fresh event file in `directory`, and the directory where it is missing. TensorBoard shows the files
    /// of a directory as one run, so a resumed run gets a file beside the first one.
    ///
    /// # Errors
    /// Where the directory or the file cannot be made or written.
    pub fn create(directory: &Path) -> io::Result<Self> {
        static FILES: AtomicU32 = AtomicU32::new(0);
        std::fs::create_dir_all(directory)?;
        let wall_time_s = wall_time_s();
        let path = directory.join(format!(
            "events.out.tfevents.{:010}.deepq.{}.{}",
            wall_time_s as u64,
            std::process::id(),
            FILES.fetch_add(1, Ordering::Relaxed)
        ));
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(&path)?);
        let mut writer = Self { path, file, payload: Vec::new() };
        let version = Some(What::FileVersion(FILE_VERSION.to_owned()));
        writer.write(&Event { wall_time: wall_time_s, step: 0, what: version })?;
        writer.flush()?;
        Ok(writer)
    }

    /// The path of the event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the number `value` of the curve `tag` at `step`, with the clock's time. TensorBoard keeps scalars in
    /// single precision.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) -> io::Result<()> {
        self.scalar_at(wall_time_s(), tag, step, value)
    }

    /// [`scalar`](Self::scalar) at a given wall time, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn scalar_at(&mut self, wall_time_s: f64, tag: &str, step: u64, value: f32) -> io::Result<()> {
        let data = Some(Data::SimpleValue(value));
        self.write(&Event::of_value(wall_time_s, step, Value { tag: tag.to_owned(), metadata: None, data }))
    }

    /// Writes `text` (Markdown) under `tag` at `step`, with the clock's time.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn text(&mut self, tag: &str, step: u64, text: &str) -> io::Result<()> {
        self.text_at(wall_time_s(), tag, step, text)
    }

    /// [`text`](Self::text) at a given wall time, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn text_at(&mut self, wall_time_s: f64, tag: &str, step: u64, text: &str) -> io::Result<()> {
        let value = Value {
            tag: tag.to_owned(),
            metadata: Some(Metadata { plugin: Some(Plugin { name: "text".to_owned() }) }),
            data: Some(Data::Tensor(Tensor {
                data_type: DATA_TYPE_STRING,
                shape: Some(Shape { dimensions: vec![Dimension { size: 1 }] }),
                strings: vec![text.as_bytes().to_vec()],
            })),
        };
        self.write(&Event::of_value(wall_time_s, step, value))
    }

    /// Hands everything written so far to the operating system.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        self.payload.clear();
        // A `Vec` grows to whatever the message needs, so the encoder cannot run out of room.
        event.encode(&mut self.payload).map_err(io::Error::other)?;
        write_record(&mut self.file, &self.payload)
    }
}

/// Puts TFRecord framing around `payload`.
fn write_record(file: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let length = (payload.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked_crc32c(&length).to_le_bytes())?;
    file.write_all(payload)?;
    file.write_all(&masked_crc32c(payload).to_le_bytes())
}

/// TensorFlow masks checksums because a CRC over data that contain a CRC is weak (tensorflow/core/lib/hash/crc32c.h).
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Seconds since 1970-01-01 UTC; 0 where the clock is set to a time before.
fn wall_time_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

impl Event {
    fn of_value(wall_time: f64, step: u64, value: Value) -> Self {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        Self { wall_time, step, what: Some(What::Summary(Summary { value: vec![value] })) }
    }
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
    #[prost(oneof = "Data", tags = "2, 8")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Data {
    #[prost(float, tag = "2")]
    SimpleValue(f32),
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin: Option<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
struct Plugin {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    data_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dimensions: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    size: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `tensorboard.summary.writer.record_writer.RecordWriter` of tensorboard 2.21.0 writes for
    /// `Event(file_version="brain.Event:2")` and for
    /// `Event(wall_time=1.5e9, step=300, summary={value: {tag: "train/loss", simple_value: 0.25}})`.
    const THEIR_VERSION: &str = "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129";
    const THEIR_SCALAR: &str = "2100000000000000\
        017becf609000000c00b5ad64110ac022a130a110a0a747261696e2f6c6f7373150000803e95d2437a";

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 3720, appendix B.4: CRC32C of 32 zero bytes, of 32 bytes of 0xff, of 0..32.
    #[test]
    fn the_checksum_is_masked_crc32c() {
        let increasing: Vec<u8> = (0..32).collect();
        let known: [(&[u8], u32); 3] =
            [(&[0; 32], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (&increasing, 0x46dd_794e)];
        for (bytes, crc) in known {
            let unmasked = masked_crc32c(bytes).wrapping_sub(0xa282_ead8).rotate_left(15);
            assert_eq!(unmasked, crc, "{bytes:?}");
        }
    }

    #[test]
    fn a_record_is_framed_as_tensorboard_frames_it() {
        let version = Event { what: Some(What::FileVersion(FILE_VERSION.to_owned())), ..Event::default() };
        let mut record = Vec::new();
        write_record(&mut record, &version.encode_to_vec()).unwrap();
        assert_eq!(hexadecimal(&record), THEIR_VERSION);
    }

    #[test]
    fn a_scalar_is_written_as_tensorboard_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(&directory.path().join("made/on/the/way")).unwrap();
        let version_bytes = std::fs::read(writer.path()).unwrap().len();
        writer.scalar_at(1.5e9, "train/loss", 300, 0.25).unwrap();
        writer.flush().unwrap();
        let bytes = std::fs::read(writer.path()).unwrap();
        assert_eq!(hexadecimal(&bytes[version_bytes..]), THEIR_SCALAR);
    }

    #[test]
    fn two_writers_in_one_directory_write_two_files() {
        let directory = tempfile::tempdir().unwrap();
        let first = EventWriter::create(directory.path()).unwrap();
        let second = EventWriter::create(directory.path()).unwrap();
        assert_ne!(first.path(), second.path());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "in the way").unwrap();
        assert!(EventWriter::create(&file.join("run")).is_err());
    }
}
