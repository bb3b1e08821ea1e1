// What the archive writes: packs, key segments, index segments, snapshots and manifests.
// docs/formats/archive.md has the CDDL, the limits and an example of each.
//
// All of it lies sealed: packs under their own random key, key segments under the vault key of an
// epoch. A reader of these structs must still treat every field as hostile: a writer may have been
// another, compromised device of the same person.
#pragma once

#include "base/id.h"
#include "wire/fields.h"

namespace holdfast::archive {

// ---- chunks and packs ----

constexpr std::uint32_t kMinChunk = 512 * 1024;
constexpr std::uint32_t kMaxChunk = 8 * 1024 * 1024;
// Chunks are gathered up to these, neighbours together: the more zstd sees at once, the smaller it
// comes out. Names are read a few at a time, contents mostly whole.
constexpr std::uint32_t kFrameTarget = 4 * 1024 * 1024;
constexpr std::uint32_t kNamesFrame = 1024 * 1024;
constexpr std::uint32_t kMaxFrame = kMaxChunk;  // raw bytes of a frame: the bomb limit
constexpr std::uint32_t kPackTarget = 16 * 1024 * 1024;
constexpr std::uint32_t kMaxPack = 64 * 1024 * 1024;  // sealed bytes

// What a chunk is, hashed into its id: a file's bytes are never taken for a manifest.
enum class ChunkType : std::uint8_t {
  kData = 1,
  kManifest,
  kList,
  kIndex,
  kSnapshot,
  kGuide,
  kLast = kGuide
};

// A pack holds chunks of one group, so that reading names does not fetch contents.
enum class PackKind : std::uint8_t { kData = 1, kMeta, kIndex, kSnapshot, kLast = kSnapshot };

struct ChunkInfo {
  ChunkId id;
  ChunkType type{};
  std::uint32_t length = 0;
  static constexpr auto kFields =
      wire::fields(&ChunkInfo::id, &ChunkInfo::type, &ChunkInfo::length);
};

// A zstd frame: `stored` bytes in the pack that become `raw` bytes, the chunks one after another.
struct FrameInfo {
  std::uint32_t stored = 0;
  std::uint32_t raw = 0;
  wire::Bounded<ChunkInfo, 65536> chunks;
  static constexpr auto kFields =
      wire::fields(&FrameInfo::stored, &FrameInfo::raw, &FrameInfo::chunks);
};

// Inside the seal: 4 bytes big-endian length of this header, the header, the frames, zeros up to a
// Padme size.
struct PackHeader {
  wire::Fixed<"holdfast/v1/pack"> label;
  PackKind kind{};
  wire::Bounded<FrameInfo, 65536> frames;
  static constexpr auto kFields =
      wire::fields(&PackHeader::label, &PackHeader::kind, &PackHeader::frames);
};

// A pack that was sealed again, with the key that it had before: sealed whole, as another object.
struct PackEnvelope {
  wire::Fixed<"holdfast/v1/pack-envelope"> label;
  std::array<std::uint8_t, 32> key{};
  Bytes pack;  // sealed; its SHA-256 is the pack's name
  static constexpr auto kFields =
      wire::fields(&PackEnvelope::label, &PackEnvelope::key, &PackEnvelope::pack);
};

// ---- key segments ----

// A pack keeps its name for ever. Sealed again, it lies in another object of the store.
struct PackKeyEntry {
  PackId pack;
  std::optional<PackId> object;        // its envelope; none: the object is the pack
  std::array<std::uint8_t, 32> key{};  // of the object; secret: the segment is sealed whole
  PackKind kind{};
  std::uint32_t size = 0;   // of the sealed object
  std::uint32_t epoch = 0;  // whose vault key was the first to seal this key
  static constexpr auto kFields =
      wire::fields(&PackKeyEntry::pack, &PackKeyEntry::object, &PackKeyEntry::key,
                   &PackKeyEntry::kind, &PackKeyEntry::size, &PackKeyEntry::epoch);
};

struct KeySegment {
  wire::Fixed<"holdfast/v1/key-segment"> label;
  wire::Bounded<PackKeyEntry, 65536> entries;
  static constexpr auto kFields = wire::fields(&KeySegment::label, &KeySegment::entries);
};

// ---- index segments: where each chunk lies; rebuildable from the packs ----

struct PackIndex {
  PackId pack;
  PackHeader header;
  static constexpr auto kFields = wire::fields(&PackIndex::pack, &PackIndex::header);
};

struct IndexSegment {
  wire::Fixed<"holdfast/v1/index-segment"> label;
  wire::Bounded<PackIndex, 4096> packs;
  static constexpr auto kFields = wire::fields(&IndexSegment::label, &IndexSegment::packs);
};

// ---- content, manifests, snapshots ----

// `length` bytes of content: a chunk, or a hole when there is no id.
struct Extent {
  std::optional<ChunkId> chunk;
  std::uint64_t length = 0;
  static constexpr auto kFields = wire::fields(&Extent::chunk, &Extent::length);
  bool operator==(const Extent&) const = default;
};

constexpr std::size_t kMaxExtents = 1024;  // more are written as chunks of their own

// The bytes of a file or manifest. At level 0 the extents are the content; at level n they are the
// encoded extents (CBOR, one after another) of level n-1, in chunks of type kList.
struct Content {
  std::uint8_t level = 0;
  wire::Bounded<Extent, kMaxExtents> extents;
  static constexpr auto kFields = wire::fields(&Content::level, &Content::extents);
  bool operator==(const Content&) const = default;
};

enum class EntryKind : std::uint8_t {
  kFile = 1,
  kDirectory,
  kSymlink,
  kFifo,
  kCharDevice,
  kBlockDevice,
  kLast = kBlockDevice
};

struct Xattr {
  Bytes name;  // with its namespace, "user.x"; POSIX ACLs are system.posix_acl_*
  Bytes value;
  static constexpr auto kFields = wire::fields(&Xattr::name, &Xattr::value);
  bool operator==(const Xattr&) const = default;
};

// Seconds may be negative (before 1970); 0 <= nanoseconds < 10^9.
struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  static constexpr auto kFields = wire::fields(&FileTime::seconds, &FileTime::nanoseconds);
  auto operator<=>(const FileTime&) const = default;
};

// One name in the tree. Entries come in preorder, siblings sorted by the bytes of their names: an
// entry of depth d+1 lies in the last directory of depth d. The root "/" is not an entry.
struct Entry {
  std::uint32_t depth = 0;  // 0: directly under the root
  Bytes name;               // one component, 1 to 255 bytes, any but '/' and NUL
  EntryKind kind{};
  std::uint32_t mode = 0;  // permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Bytes user;  // empty when the id has no name
  Bytes group;
  FileTime mtime;
  FileTime ctime;  // with inode and size: was it changed since?
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t links = 0;  // above 1: same (device, inode) is the same file
  std::uint64_t size = 0;   // files
  Content content;          // files
  Bytes target;             // symlinks
  std::uint64_t rdev = 0;   // devices
  wire::Bounded<Xattr, 4096> xattrs;
  static constexpr auto kFields = wire::fields(
      &Entry::depth, &Entry::name, &Entry::kind, &Entry::mode, &Entry::uid, &Entry::gid,
      &Entry::user, &Entry::group, &Entry::mtime, &Entry::ctime, &Entry::device, &Entry::inode,
      &Entry::links, &Entry::size, &Entry::content, &Entry::target, &Entry::rdev, &Entry::xattrs);
};

constexpr std::size_t kMaxTags = 64;

// Where an entry begins in the manifest, so that a path is found without reading what lies before
// it. Points come in the order of the manifest.
struct GuidePoint {
  std::uint64_t offset = 0;
  Bytes path;  // the entry's names from the root down, a NUL between each two
  static constexpr auto kFields = wire::fields(&GuidePoint::offset, &GuidePoint::path);
};

// The one chunk of a pack of kind kSnapshot, which a record of the vault names.
struct Snapshot {
  wire::Fixed<"holdfast/v1/snapshot"> label;
  std::int64_t started_ms = 0;  // by the device's clock
  std::int64_t finished_ms = 0;
  std::string device;                // its name in the circle
  wire::Bounded<Bytes, 4096> roots;  // absolute paths asked for
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t others = 0;    // symlinks, FIFOs, devices
  std::uint64_t bytes = 0;     // content of files as their sizes say
  std::uint64_t problems = 0;  // paths that could not be read or read consistently
  Content tree;                // the manifest: encoded entries one after another
  Bytes log_seen;              // the log's newest checkpoint that the device had seen; or empty
  wire::Bounded<std::string, kMaxTags> tags;  // the person's own words for it
  Content guide;  // to the manifest: encoded points one after another; or empty
  static constexpr auto kFields =
      wire::fields(&Snapshot::label, &Snapshot::started_ms, &Snapshot::finished_ms,
                   &Snapshot::device, &Snapshot::roots, &Snapshot::files, &Snapshot::directories,
                   &Snapshot::others, &Snapshot::bytes, &Snapshot::problems, &Snapshot::tree,
                   &Snapshot::log_seen, &Snapshot::tags, &Snapshot::guide);
};

}  // namespace holdfast::archive
