#include "vault/moving.h"

#include <algorithm>

#include "archive/check.h"

namespace holdfast::vault {

Moving::Moving(Account::State& account, VaultData& data, const archive::Reached& reached,
               archive::Progress& progress)
    : data_(data),
      reached_(reached),
      progress_(progress),
      journal_(account.home, data.vault.id),
      account_(account) {}

Result<void> Moving::resume() {
  auto journal = TRY(read_journal(account_.home, data_.vault.id, Way::kBackup));
  std::vector<PackId> ids;
  for (const OnItsWay& entry : journal) ids.push_back(entry.pack);
  const auto absent = TRY(archive::absent_packs(data_.cache.session(), ids));
  for (OnItsWay& entry : journal) {
    const bool there = std::ranges::find(absent, entry.pack) == absent.end();
    // A backup's on its way has chunks that no snapshot needs yet: that is the next one's.
    if (!there || data_.catalog.pack_number(entry.pack) ||
        data_.chain->state.dropped.contains(entry.object.name) ||
        reached_.share_of(entry.header).others > 0)
      continue;
    // What was moved is dropped where it was: this must be there to read, not only to be named.
    archive::Catalog one;
    one.add(entry.pack, archive::copy_of(entry.object), entry.header);
    const archive::PackEntry& sent = one.pack_at(0);
    const auto sound = archive::check_object(data_.cache, data_.access, sent, entry.header,
                                             sent.objects.front(), progress_);
    if (!sound.ok() && sound.error().code == Code::kUnavailable) return sound.error();
    if (!sound.ok()) continue;
    moved_.add(entry.pack, std::move(entry.object), std::move(entry.header));
  }
  return Ok{};
}

Result<void> Moving::move(const archive::PackEntry& pack, const archive::PackHeader& header) {
  if (has_moved(header)) return Ok{};
  const auto open =
      TRY(archive::open_pack(data_.cache, data_.access, pack, archive::Fetch::kSealed, &progress_));
  for (std::size_t i = 0; i < open.header().frames.size(); ++i) TRY(move_frame(open, i));
  return Ok{};
}

Result<void> Moving::move_frame(const archive::OpenPack& pack, std::size_t number) {
  const auto& chunks = pack.header().frames[number].chunks;
  if (std::ranges::none_of(chunks, [&](const auto& chunk) { return reached_.has(chunk.id); }))
    return Ok{};
  const Bytes raw = TRY(pack.frame(number));
  std::size_t at = 0;
  for (const archive::ChunkInfo& chunk : chunks) {
    const BytesView plain = BytesView(raw).subspan(at, chunk.length);
    at += chunk.length;
    if (plain.empty() || !reached_.has(chunk.id)) continue;
    if (TRY(packer().put(chunk.type, plain)) != chunk.id)
      return Error{Code::kCorrupt, "the store gives other bytes of a pack than before"};
  }
  return Ok{};
}

Result<archive::Catalog> Moving::finish() {
  if (packer_) {
    TRY(packer_->finish());
    stored_bytes_ = packer_->stored_bytes();
  }
  return std::move(moved_);
}

bool Moving::has_moved(const archive::PackHeader& header) const {
  return std::ranges::all_of(header.frames, [&](const archive::FrameInfo& frame) {
    return std::ranges::all_of(frame.chunks, [&](const archive::ChunkInfo& chunk) {
      return !reached_.has(chunk.id) || moved_.find(chunk.id);
    });
  });
}

archive::Packer& Moving::packer() {
  if (!packer_) packer_.emplace(data_.cache, data_.access, moved_, journal_, progress_);
  return *packer_;
}

}  // namespace holdfast::vault
