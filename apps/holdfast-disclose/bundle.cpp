#include "bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::disclose {
namespace {

constexpr std::uint64_t kSealedPart = crypto::sealed_size(kPart);
constexpr std::size_t kMaxHeader = 16 * 1024;
constexpr std::size_t kLength = 4;   // of the header, before it
constexpr std::size_t kTrailer = 8;  // how many parts there are, at the end

// What a killed run leaves for the next one.
struct Resume {
  wire::Fixed<"holdfast/v1/disclosure-resume"> label;
  Bytes header;
  Bytes key;  // sealed to the machine itself; gone with the file once the bundle is whole
  static constexpr auto kFields = wire::fields(&Resume::label, &Resume::header, &Resume::key);
};

Bytes key_info(std::string_view for_whom, const Digest& order, const Digest& case_file) {
  return wire::encode_array("holdfast/v1/disclosure-bundle-key", for_whom, order, case_file);
}

Bytes part_context(BytesView header, std::uint64_t number) {
  return wire::encode_array("holdfast/v1/disclosure-part", crypto::sha256(header), number);
}

Bytes end_context(BytesView header, std::uint64_t parts) {
  return wire::encode_array("holdfast/v1/disclosure-end-seal", crypto::sha256(header), parts);
}

Bytes big_endian(std::uint64_t value, std::size_t size) {
  Bytes out(size);
  for (std::size_t i = size; i-- > 0; value >>= 8) out[i] = static_cast<std::uint8_t>(value);
  return out;
}

std::uint64_t number_in(BytesView bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8U | byte;
  return value;
}

Error damaged(const std::string& path) {
  return {Code::kCorrupt, path + " is no whole bundle: it was changed or cut short"};
}

Result<Bytes> read_at(int fd, std::uint64_t offset, std::size_t size, const std::string& path) {
  Bytes out(size);
  for (std::size_t got = 0; got < size;) {
    const ssize_t n = ::pread(fd, out.data() + got, size - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path, errno);
    if (n == 0) return damaged(path);
    got += static_cast<std::size_t>(n);
  }
  return out;
}

Result<std::uint64_t> size_of(int fd, const std::string& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return io_error("read", path, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

struct Begun {
  BundleKey key;
  Bytes header;
};

// nullopt: nothing of this case was begun here.
Result<std::optional<Begun>> begun_before(const std::string& path, const BundleOf& of,
                                          const OwnKey& own) {
  if (!exists(path + ".resume") || !exists(path + ".partial")) return std::optional<Begun>();
  const Bytes bytes = TRY(read_file(path + ".resume", 2 * kMaxHeader));
  const auto resume = wire::decode<Resume>(bytes);
  if (!resume.ok()) return std::optional<Begun>();
  const auto header = wire::decode<BundleHeader>(resume->header);
  if (!header.ok() || header->order != of.order || header->case_file != of.case_file)
    return Error{Code::kConflict,
                 path + ".partial is of another case: remove it, or name another file"};
  auto key = TRY(crypto::unwrap_key<BundlePurpose>(
      own.wrap, key_info("machine", of.order, of.case_file), resume->key));
  return std::optional(Begun{std::move(key), resume->header});
}

Result<Begun> begin(const std::string& path, const BundleOf& of, const OwnKey& own) {
  auto key = BundleKey::random();
  BundleHeader header;
  header.order = of.order;
  header.case_file = of.case_file;
  header.key = TRY(crypto::wrap_key({of.requester.wrap_key},
                                    key_info("requester", of.order, of.case_file), key));
  Resume resume;
  resume.header = wire::encode(header);
  resume.key =
      TRY(crypto::wrap_key({own.shown.wrap_key}, key_info("machine", of.order, of.case_file), key));
  if (::unlink((path + ".partial").c_str()) != 0 && errno != ENOENT)
    return io_error("remove", path + ".partial", errno);
  TRY(replace_file(path + ".resume", wire::encode(resume)));
  return Begun{std::move(key), resume.header};
}

}  // namespace

Result<BundleWriter> BundleWriter::open(const std::string& path, const BundleOf& of,
                                        const OwnKey& own) {
  if (exists(path)) return Error{Code::kConflict, path + " is there already"};
  auto before = TRY(begun_before(path, of, own));
  if (!before) before = TRY(begin(path, of, own));
  const std::string partial = path + ".partial";
  Fd file(::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return io_error("open", partial, errno);
  BundleWriter out(path, std::move(file), std::move(before->key), std::move(before->header));
  TRY(out.count_kept());
  return out;
}

// Whole parts from the first on, as far as they open; what follows is written anew.
Result<void> BundleWriter::count_kept() {
  const std::uint64_t begin = kLength + header_.size();
  const std::uint64_t size = TRY(size_of(file_.get(), path_));
  while (begin + (kept_ + 1) * kSealedPart <= size && kept_part(kept_).ok()) ++kept_;
  if (::ftruncate(file_.get(), static_cast<off_t>(kept_ == 0 ? 0 : begin + kept_ * kSealedPart)) !=
      0)
    return io_error("shorten", path_ + ".partial", errno);
  if (::lseek(file_.get(), 0, SEEK_END) < 0) return io_error("write", path_ + ".partial", errno);
  if (kept_ > 0) return Ok{};
  Bytes start = big_endian(header_.size(), kLength);
  append(start, header_);
  return write_all(file_.get(), start, path_ + ".partial");
}

Result<BytesView> BundleWriter::kept_part(std::uint64_t number) {
  if (!open_part_ || open_part_->first != number) {
    const Bytes sealed = TRY(
        read_at(file_.get(), kLength + header_.size() + number * kSealedPart, kSealedPart, path_));
    open_part_ = {number, TRY(crypto::open(key_, part_context(header_, number), sealed))};
  }
  return BytesView(open_part_->second);
}

Result<void> BundleWriter::write(BytesView bytes) {
  stream_.update(bytes);
  while (!bytes.empty()) {
    const std::size_t within = static_cast<std::size_t>(at_ % kPart);
    const std::size_t n = std::min(bytes.size(), kPart - within);
    if (at_ / kPart < kept_) {
      const BytesView there = TRY(kept_part(at_ / kPart));
      if (!std::equal(bytes.begin(), bytes.begin() + static_cast<long>(n),
                      there.begin() + static_cast<long>(within)))
        return Error{Code::kUnsafe,
                     path_ + ".partial has other contents than this case makes: remove it"};
    } else {
      append(part_, bytes.first(n));
      if (part_.size() == kPart) TRY(add_part());
    }
    at_ += n;
    bytes = bytes.subspan(n);
  }
  return Ok{};
}

Result<void> BundleWriter::add_part() {
  const std::uint64_t number = at_ / kPart;
  TRY(write_all(file_.get(), crypto::seal(key_, part_context(header_, number), part_),
                path_ + ".partial"));
  part_.clear();
  return Ok{};
}

Result<bool> BundleWriter::reuse(std::uint64_t size, crypto::Sha256& hash) {
  if (size > kept() || at_ > kept() - size) return false;
  while (size > 0) {
    const std::size_t within = static_cast<std::size_t>(at_ % kPart);
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size, kPart - within));
    const BytesView piece = TRY(kept_part(at_ / kPart)).subspan(within, n);
    hash.update(piece);
    stream_.update(piece);
    at_ += n;
    size -= n;
  }
  return true;
}

Result<void> BundleWriter::finish(const BundleEnd& end) {
  HF_CHECK(at_ % kPart == 0 && part_.empty());
  const std::uint64_t parts = at_ / kPart;
  const Bytes bytes = wire::encode(end);
  if (bytes.size() > kMaxEnd) return Error{Code::kInvalid, "the manifest is too large"};
  Bytes last = crypto::seal(key_, end_context(header_, parts), bytes);
  append(last, big_endian(parts, kTrailer));
  const std::string partial = path_ + ".partial";
  TRY(write_all(file_.get(), last, partial));
  if (::fsync(file_.get()) != 0) return io_error("write", partial, errno);
  if (::rename(partial.c_str(), path_.c_str()) != 0) return io_error("rename", partial, errno);
  if (::unlink((path_ + ".resume").c_str()) != 0)
    return io_error("remove", path_ + ".resume", errno);
  return Ok{};
}

// ---- opening one ----

namespace {

struct Layout {
  Bytes header_bytes;
  BundleHeader header;
  std::uint64_t parts = 0;
  std::uint64_t begin = 0;  // of the first part
  std::uint64_t end = 0;    // of the sealed end
  std::size_t end_size = 0;
};

Result<Layout> layout_of(int fd, const std::string& path) {
  Layout out;
  const std::uint64_t size = TRY(size_of(fd, path));
  if (size < kLength + kTrailer) return damaged(path);
  const std::uint64_t length = number_in(TRY(read_at(fd, 0, kLength, path)));
  if (length > kMaxHeader || length > size - kLength - kTrailer) return damaged(path);
  out.header_bytes = TRY(read_at(fd, kLength, static_cast<std::size_t>(length), path));
  auto header = wire::decode<BundleHeader>(out.header_bytes);
  if (!header.ok()) return Error{Code::kCorrupt, path + " is no bundle"};
  out.header = std::move(header).value();
  out.begin = kLength + length;
  out.parts = number_in(TRY(read_at(fd, size - kTrailer, kTrailer, path)));
  const std::uint64_t rest = size - out.begin - kTrailer;
  if (out.parts > rest / kSealedPart) return damaged(path);
  out.end = out.begin + out.parts * kSealedPart;
  const std::uint64_t end_size = size - kTrailer - out.end;
  if (end_size > crypto::sealed_size(kMaxEnd)) return damaged(path);
  out.end_size = static_cast<std::size_t>(end_size);
  return out;
}

Result<Digest> write_stream(int fd, const Layout& layout, const BundleKey& key,
                            const std::string& bundle, const std::string& tar) {
  const std::string partial = tar + ".partial";
  if (exists(tar)) return Error{Code::kConflict, tar + " is there already"};
  const Fd out(
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.valid()) return io_error("open", partial, errno);
  crypto::Sha256 hash;
  for (std::uint64_t i = 0; i < layout.parts; ++i) {
    const Bytes sealed = TRY(read_at(fd, layout.begin + i * kSealedPart, kSealedPart, bundle));
    const auto plain = crypto::open(key, part_context(layout.header_bytes, i), sealed);
    if (!plain.ok()) return damaged(bundle);
    hash.update(*plain);
    TRY(write_all(out.get(), *plain, partial));
  }
  if (::fsync(out.get()) != 0) return io_error("write", partial, errno);
  return hash.finish();
}

}  // namespace

Result<Unsealed> unseal(const std::string& bundle, const OwnKey& own, const std::string& tar) {
  const Fd fd(::open(bundle.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return io_error("open", bundle, errno);
  const Layout layout = TRY(layout_of(fd.get(), bundle));
  const auto key = crypto::unwrap_key<BundlePurpose>(
      own.wrap, key_info("requester", layout.header.order, layout.header.case_file),
      layout.header.key);
  if (!key.ok()) return Error{Code::kDenied, bundle + " is sealed to another key, or was changed"};
  const Bytes sealed = TRY(read_at(fd.get(), layout.end, layout.end_size, bundle));
  const auto bytes = crypto::open(*key, end_context(layout.header_bytes, layout.parts), sealed);
  if (!bytes.ok()) return damaged(bundle);
  auto end = TRY(wire::decode<BundleEnd>(*bytes));
  const auto outer = TRY(wire::decode<lawful::SignedOrder>(end.order));
  Unsealed out{std::move(end), TRY(lawful::read_order(outer.order)), {}};
  if (lawful::order_hash(outer.order) != layout.header.order || out.order.requester != own.shown)
    return Error{Code::kDenied, bundle + " belongs to another order than the one in it"};
  for (const lawful::OrderSignature& one : outer.signatures) {
    TRY(lawful::verify_signature(outer.order, one));
    out.signed_by.push_back({one.operator_key});
  }
  if (!crypto::verify({out.order.discloser.verify_key}, kManifestLabel, out.end.manifest,
                      out.end.signature))
    return Error{Code::kUnsafe, "the manifest is not signed by the machine that the order names"};
  const Digest stream = TRY(write_stream(fd.get(), layout, *key, bundle, tar));
  if (stream != out.end.tar) return damaged(bundle);
  if (::rename((tar + ".partial").c_str(), tar.c_str()) != 0) return io_error("rename", tar, errno);
  return out;
}

}  // namespace holdfast::disclose
