#include "opening.h"

#include <algorithm>

#include "archive/entries.h"
#include "archive/reader.h"
#include "manifest.h"
#include "tar.h"

namespace holdfast::disclose {
namespace {

constexpr std::size_t kZeros = 64 * 1024;

// A vault whose tables are read.
struct Source {
  VaultToOpen what;
  archive::PackCache cache;
  archive::Catalog catalog;
  struct One {
    Chosen chosen;
    archive::Snapshot snapshot;
  };
  std::vector<One> snapshots;
};

Error unread(const circle::Vault& vault, const std::string& what, const std::string& why) {
  return {Code::kCorrupt,
          "vault \"" + vault.name + "\" cannot be opened whole: " + what + ": " + why};
}

Result<Source> load(VaultToOpen what, CaseSession& session) {
  archive::PackCache cache(session, "");
  const bool any = !what.chosen.empty();
  if (any)
    for (const archive::SegmentRef& ref : what.key_segments) TRY(session.get_pack(ref.object));
  archive::Findings findings;
  auto catalog = TRY(archive::Catalog::load(
      cache, what.access, any ? what.key_segments : std::vector<archive::SegmentRef>(),
      any ? what.index_segments : std::vector<PackId>(), findings, archive::Rebuild::kNo));
  for (const archive::Problem& one : findings.problems)
    return unread(what.vault, one.path, one.reason);
  // An index is not made again here: all that the tables name must be there.
  for (const archive::Note& one : findings.notes) return unread(what.vault, one.path, one.reason);
  Source out{std::move(what), std::move(cache), std::move(catalog), {}};
  for (const Chosen& one : out.what.chosen) {
    const auto number = out.catalog.pack_number(one.root);
    if (!number)
      return Error{Code::kCorrupt, "the key of pack " + one.root.hex() + " is in no table"};
    const Bytes plain =
        TRY(archive::read_single_pack(out.cache, out.what.access, out.catalog.pack_at(*number)));
    out.snapshots.push_back({one, TRY(wire::decode<archive::Snapshot>(plain))});
  }
  return out;
}

Digest content_id(const archive::Entry& entry) {
  return crypto::sha256(wire::encode_array("content", entry.size, wire::encode(entry.content)));
}

bool good_name(const Bytes& name) {
  const std::string_view text = as_text(name);
  return !text.empty() && text != "." && text != ".." && text.find('/') == std::string_view::npos &&
         text.find('\0') == std::string_view::npos;
}

// Every entry of a snapshot, with its path in the tar.
template <class Each>
Result<void> each_entry(Source& source, const archive::Snapshot& snapshot,
                        archive::ChunkReader& chunks, const Each& each) {
  archive::EntryReader entries(chunks, source.what.access, snapshot.tree);
  for (;;) {
    const auto entry = TRY(entries.next());
    if (!entry) return Ok{};
    std::string path;
    for (const Bytes& name : entries.path()) {
      if (!good_name(name))
        return Error{Code::kCorrupt, "a snapshot has a name that no file can have"};
      path += "/";
      path += as_text(name);
    }
    TRY(each(*entry, path));
  }
}

// ---- before anything is written: is all there? ----

class Plan {
 public:
  explicit Plan(CaseSession& session) : session_(session) {}

  Result<void> add(Source& source) {
    archive::ChunkReader chunks(source.cache, source.what.access, source.catalog);
    std::set<std::uint32_t> numbers;
    for (const Source::One& one : source.snapshots)
      TRY(each_entry(source, one.snapshot, chunks,
                     [&](const archive::Entry& entry, const std::string& path) {
                       return add_file(source, chunks, entry, path, numbers);
                     }));
    for (const std::uint32_t number : numbers) TRY(add_pack(source.catalog.pack_at(number)));
    return Ok{};
  }
  const std::set<PackId>& packs() const { return packs_; }

 private:
  Result<void> add_file(Source& source, archive::ChunkReader& chunks, const archive::Entry& entry,
                        const std::string& path, std::set<std::uint32_t>& numbers) {
    if (entry.kind != archive::EntryKind::kFile) return Ok{};
    if (!seen_.insert(content_id(entry)).second) return Ok{};
    archive::ExtentReader extents(chunks, source.what.access, entry.content);
    for (;;) {
      const auto extent = TRY(extents.next());
      if (!extent) return Ok{};
      if (!extent->chunk) continue;
      const auto place = source.catalog.find(*extent->chunk);
      if (!place) return Error{Code::kCorrupt, "no table says which pack holds part of " + path};
      numbers.insert(place->pack);
    }
  }
  // The one of its objects that will be opened.
  Result<void> add_pack(const archive::PackEntry& pack) {
    for (const archive::PackObject& object : pack.objects) {
      if (!session_.has(object.name)) continue;
      packs_.insert(object.name);
      return Ok{};
    }
    return Error{Code::kNotFound, "the case lacks pack " + pack.objects.front().name.hex() +
                                      ", which holds part of what is ordered"};
  }

  CaseSession& session_;
  std::set<Digest> seen_;
  std::set<PackId> packs_;
};

// ---- writing ----

class Stream {
 public:
  Stream(BundleWriter& bundle, Opened& opened) : bundle_(bundle), opened_(opened) {}

  Result<void> add(Source& source) {
    OpenedVault vault{source.what.vault, source.what.epoch, {}, source.what.withheld};
    const std::string folder = "files/" + folder_of(source.what.vault);
    TRY(bundle_.write(tar_folder(folder)));
    archive::ChunkReader chunks(source.cache, source.what.access, source.catalog);
    for (const Source::One& one : source.snapshots) {
      const std::string below = folder + "/" + std::to_string(one.chosen.n) + "-received-" +
                                compact(utc(one.chosen.received_ms));
      const std::size_t before = opened_.files.size();
      TRY(bundle_.write(tar_folder(below)));
      TRY(each_entry(source, one.snapshot, chunks,
                     [&](const archive::Entry& entry, const std::string& path) {
                       return add_entry(source, chunks, entry, below + path);
                     }));
      vault.snapshots.push_back(
          {one.chosen, one.snapshot.finished_ms, opened_.files.size() - before, below});
    }
    opened_.vaults.push_back(std::move(vault));
    return Ok{};
  }
  Result<void> finish() {
    const std::string sums = sums_of(opened_.files);
    archive::Entry entry;
    entry.kind = archive::EntryKind::kFile;
    entry.mode = 0644;
    entry.size = sums.size();
    TRY(bundle_.write(tar_header("SHA256SUMS", entry)));
    TRY(bundle_.write(as_bytes(sums)));
    TRY(bundle_.write(tar_padding(sums.size())));
    TRY(bundle_.write(tar_end(bundle_.size(), kPart)));
    opened_.tar_bytes = bundle_.size();
    opened_.tar = bundle_.finish_stream();
    return Ok{};
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct First {
    std::string path;
    Digest sha256;
  };

  // A name that people chose, as one folder of any system.
  static std::string folder_of(const circle::Vault& vault) {
    std::string out;
    for (const char c : vault.name) {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back(c == '/' || c == '\\' || byte < 0x20 || (out.empty() && c == '.') ? '_' : c);
    }
    return out + "-" + vault.id.hex().substr(0, 8);
  }
  static std::string compact(std::string time) {
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    return time;
  }

  Result<void> add_entry(Source& source, archive::ChunkReader& chunks, const archive::Entry& entry,
                         const std::string& path) {
    if (entry.kind != archive::EntryKind::kFile) return bundle_.write(tar_header(path, entry));
    const Digest id = content_id(entry);
    const auto first = written_.find(id);
    if (first != written_.end() && entry.size > 0) {
      TRY(bundle_.write(tar_link(path, entry, first->second.path)));
      opened_.files.push_back({path, entry.size, first->second.sha256, entry.mtime.seconds});
      return Ok{};
    }
    TRY(bundle_.write(tar_header(path, entry)));
    const Digest sha256 = TRY(add_content(source, chunks, entry, path));
    TRY(bundle_.write(tar_padding(entry.size)));
    bytes_ += entry.size;
    written_.emplace(id, First{path, sha256});
    opened_.files.push_back({path, entry.size, sha256, entry.mtime.seconds});
    return Ok{};
  }

  Result<Digest> add_content(Source& source, archive::ChunkReader& chunks,
                             const archive::Entry& entry, const std::string& path) {
    crypto::Sha256 hash;
    const bool there = TRY(bundle_.reuse(entry.size, hash));
    if (there) return hash.finish();
    archive::ContentReader content(chunks, source.what.access, entry.content,
                                   archive::ChunkType::kData);
    std::uint64_t left = entry.size;
    const auto put = [&](BytesView bytes) -> Result<void> {
      if (bytes.size() > left) return other_length(path);
      left -= bytes.size();
      hash.update(bytes);
      return bundle_.write(bytes);
    };
    for (;;) {
      const auto piece = TRY(content.next());
      if (!piece) break;
      TRY(put(piece->data));
      static const Bytes zeros(kZeros);
      for (std::uint64_t hole = piece->hole; hole > 0;) {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(hole, zeros.size()));
        TRY(put(BytesView(zeros).first(n)));
        hole -= n;
      }
    }
    if (left > 0) return other_length(path);
    return hash.finish();
  }
  static Error other_length(const std::string& path) {
    return {Code::kCorrupt, path + " is not as long as its entry says"};
  }

  BundleWriter& bundle_;
  Opened& opened_;
  std::map<Digest, First> written_;
  std::uint64_t bytes_ = 0;
};

BundleEnd end_of(const OrderedCase& from, const Opened& opened, const std::string& manifest,
                 const OwnKey& own) {
  BundleEnd end;
  end.order = from.read.parts.order;
  end.manifest = to_bytes(as_bytes(manifest));
  end.signature = own.sign.sign(kManifestLabel, end.manifest);
  end.tar = opened.tar;
  return end;
}

}  // namespace

Result<OpenReport> open_case(const OpenInput& input) {
  const OwnKey own = TRY(read_own_key(input.key_file));
  const OrderedCase from = TRY(read_ordered(input.folder, input.operators));
  if (from.order.order.discloser != own.shown)
    return Error{Code::kDenied, "the order names another machine's key than " + input.key_file};
  CaseSession session(input.folder);
  std::vector<Source> sources;
  for (const OrderedVault& vault : from.vaults) {
    auto chosen = TRY(choose(from, vault, own, session));
    sources.push_back(TRY(load(std::move(chosen), session)));
  }
  Plan plan(session);
  for (Source& source : sources) TRY(plan.add(source));
  auto bundle = TRY(BundleWriter::open(
      input.out, {from.order.hash, from.read.digest, from.order.order.requester}, own));
  Opened opened;
  Stream stream(bundle, opened);
  for (Source& source : sources) TRY(stream.add(source));
  TRY(stream.finish());
  opened.packs = session.opened();
  opened.packs.insert(plan.packs().begin(), plan.packs().end());
  OpenReport report;
  report.manifest = manifest_of(from, opened, input.now_ms);
  TRY(bundle.finish(end_of(from, opened, report.manifest, own)));
  for (const OpenedVault& vault : opened.vaults) {
    report.snapshots += vault.snapshots.size();
    report.withheld += vault.withheld.size();
  }
  report.files = opened.files.size();
  report.bytes = stream.bytes();
  report.kept = bundle.kept();
  return report;
}

}  // namespace holdfast::disclose
