// A stand-in for the custodian: makes release batches, and acts only on the gate's word. Test-only.
#pragma once

#include "server/public_log.h"
#include "support/journey.h"
#include "tlog/batch.h"

namespace holdfast::testkit {

class Custodian {
 public:
  explicit Custodian(server::PublicLog& log) : log_(log) {}

  // The next batch, of these accounts; what is released is of the first.
  void release(const std::vector<CircleId>& accounts, const std::vector<tlog::Release>& releases,
               std::uint8_t open_days) {
    std::vector<tlog::BatchEntry> entries;
    for (const CircleId& account : accounts) {
      tlog::BatchEntry entry;
      entry.circle = account;
      if (entries.empty())
        for (const tlog::Release& one : releases) entry.releases.push_back(one);
      entries.push_back(std::move(entry));
    }
    accounts_ = accounts;
    const Bytes before = batch_ ? batch_->leaf() : Bytes();
    batch_ = must(tlog::Batch::make(before, std::move(entries), open_days));
    ++n_;
    must_do(log_.append_batch(batch_->leaf(), batch_->positions()));
  }

  void open_all() {
    for (std::size_t i = 0; i < accounts_.size(); ++i)
      must_do(log_.open_batch(n_, accounts_[i], wire::encode(batch_->openings()[i])));
  }

  // As the real one asks before it unwraps: with what the log's public files and its own batch say.
  bool may_act(const tlog::Release& wanted, TimeMs now) const {
    tlog::GateProof proof;
    proof.batch.checkpoint = must(log_.shown_note());
    const auto checkpoint = must(tlog::Checkpoint::verify(log_.trusted(), proof.batch.checkpoint));
    tlog::Map map;
    must(map.apply(batch_->positions()));
    proof.position = tlog::prove_position(map, accounts_[0]);
    proof.batch.leaf = batch_->leaf();
    for (std::uint64_t i = 0; i < checkpoint.head().size; ++i) {
      proof.batch.index = i;
      proof.batch.inclusion = {};
      for (const Digest& hash : must(log_.inclusion(i))) proof.batch.inclusion.push_back(hash);
      if (tlog::check_gate(log_.trusted(), tlog::leaf_hash(batch_->leaf()), accounts_[0], wanted,
                           batch_->openings()[0], proof, static_cast<std::uint64_t>(now / 1000))
              .ok())
        return true;
    }
    return false;
  }

 private:
  server::PublicLog& log_;
  std::optional<tlog::Batch> batch_;
  std::vector<CircleId> accounts_;
  std::uint64_t n_ = 0;
};

}  // namespace holdfast::testkit
