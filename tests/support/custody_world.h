// A public log with its witnesses, and accounts in it, for tests of the custodian. Test-only.
#pragma once

#include "crypto/labelled.h"
#include "custody/custodian.h"
#include "lawful/replay.h"
#include "support/circle_maker.h"
#include "support/test_token.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::custody {

constexpr TimeMs kNow = 1'800'000'000'000;

// The service's log, as it shows it.
class ShownLog {
 public:
  tlog::testkit::TestSite site;

  void add(const Bytes& leaf) { log_.add(leaf); }
  // A new generation of the map.
  void put(std::vector<tlog::MapEntry> entries) {
    std::ranges::sort(entries);
    tlog::MapEpoch epoch;
    epoch.n = ++epoch_;
    epoch.previous = newest_;
    epoch.root = map_.apply(entries).value();
    epoch.entries = map_.size();
    const Bytes leaf = wire::encode(epoch);
    newest_ = tlog::leaf_hash(leaf);
    add(leaf);
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      tlog::DeletionReceipt leaf;
      leaf.receipt = crypto::sha256(as_bytes(std::to_string(log_.entries.size())));
      add(wire::encode(leaf));
    }
  }

  api::LogView view(std::uint64_t from, TimeMs now = kNow) const {
    api::LogView out;
    const auto s = static_cast<std::uint64_t>(now / 1000);
    out.checkpoint = to_bytes(as_bytes(site.checkpoint(head(), {s, s, s}).format()));
    for (std::size_t i = from; i < log_.entries.size(); ++i) out.leaves.push_back(log_.entries[i]);
    if (newest_) out.audit = audit(epoch_, *newest_);
    return out;
  }
  // The auditor's word on a generation of the map.
  Bytes audit(std::uint64_t n, const Digest& leaf) const {
    tlog::Audit what;
    what.origin = site.log.key().name;
    what.n = n;
    what.leaf = leaf;
    what.tree_size = head().size;
    what.tree_root = head().root;
    what.time_s = static_cast<std::uint64_t>(kNow / 1000);
    const crypto::Ed25519Key key(tlog::testkit::seed(99));
    tlog::SignedAudit out;
    out.auditor = key.public_key().bytes;
    out.audit = wire::encode(what);
    out.signature = key.sign(crypto::labelled_message("holdfast/v1/map-audit/sig", out.audit));
    return wire::encode(out);
  }
  const tlog::Map& map() const { return map_; }
  // That this leaf is in the tree, as view() shows it then.
  tlog::LeafProof prove(const Bytes& leaf, TimeMs now = kNow) const {
    tlog::LeafProof out;
    out.leaf = leaf;
    out.index =
        static_cast<std::uint64_t>(std::ranges::find(log_.entries, leaf) - log_.entries.begin());
    for (const Digest& hash : included(out.index)) out.inclusion.push_back(hash);
    out.checkpoint = view(0, now).checkpoint;
    return out;
  }
  // From now on: what stands in the newest generation of the map.
  tlog::AgeEvidence begin_age(const tlog::MapLabel& label, TimeMs now) const {
    tlog::AgeEvidence out;
    out.start = view(0, now).checkpoint;
    for (std::size_t i = 0; i < log_.entries.size(); ++i)
      if (tlog::leaf_hash(log_.entries[i]) == newest_) out.index = i;
    out.epoch = log_.entries[out.index];
    out.proof = map_.prove(label);
    out.in_start = included(out.index);
    return out;
  }
  Bytes end_age(tlog::AgeEvidence age, TimeMs now) const {
    age.end = view(0, now).checkpoint;
    age.in_end = included(age.index);
    return wire::encode(age);
  }

 private:
  tlog::TreeHead head() const { return log_.head(log_.entries.size()); }
  wire::Bounded<Digest, 63> included(std::uint64_t index) const {
    const auto proof = log_.tree(log_.entries.size()).prove_inclusion(index).value();
    return wire::Bounded<Digest, 63>(proof);
  }

  tlog::testkit::TestLog log_;
  tlog::Map map_;
  std::uint64_t epoch_ = 0;
  std::optional<Digest> newest_;
};

// An account at the standard level, whose custodian's key was issued for it.
class ShownAccount {
 public:
  ShownAccount(const std::string& device, const ShownLog& log, api::Custodian& custodian)
      : first_(testkit::make_device(device)),
        lookup_(Bytes(32, static_cast<std::uint8_t>(device.size()))) {
    trust_.log = wire::encode(log.site.roots);
    circle::Genesis body = testkit::genesis_body(first_);
    body.has_log = true;
    body.level = circle::Level::kStandard;
    body.trust_roots = circle::roots_hash(trust_);
    body.lookup = tlog::lookup_hash(key());
    info_ = issued(custodian, circle::circle_id(body.device, body.nonce));
    body.custodian = info_;
    maker_.emplace(first_, body);
  }

  static circle::CustodianInfo issued(api::Custodian& custodian, const CircleId& circle) {
    auto bytes = custodian.issue(circle);
    if (!bytes.ok()) ADD_FAILURE() << bytes.error().message;
    return wire::decode<circle::CustodianInfo>(*bytes).value();
  }

  testkit::CircleMaker& maker() { return *maker_; }
  const CircleId& id() const { return maker_->circle().id(); }
  const circle::CustodianInfo& info() const { return info_; }
  ReaderId reader() const { return circle::reader_id(info_); }
  const Bytes& genesis() const { return maker_->statements()[0]; }
  LookupKey key() const { return LookupKey::from_bytes(lookup_); }

  void go_advanced() {
    maker_->enroll("paper");
    maker_->append(maker_->raise(), first_);
  }

  // Takes what is new into the log's map.
  void include(ShownLog& log) {
    std::vector<tlog::MapEntry> entries;
    for (; included_ <= maker_->circle().seq(); ++included_)
      entries.push_back(
          {tlog::circle_label(key(), included_), maker_->circle().head_at(included_)});
    log.put(std::move(entries));
  }

  // As a service would make it: what this custodian has not seen.
  api::CircleEvidence evidence(const ShownLog& log, api::Custodian& custodian,
                               TimeMs now = kNow) const {
    const auto seen = custodian.seen(id()).value();
    api::CircleEvidence out;
    out.view = log.view(seen.entries, now);
    tlog::SeriesProof proof;
    if (included_ > 0) proof.last = log.map().prove(tlog::circle_label(key(), included_ - 1));
    proof.next = log.map().prove(tlog::circle_label(key(), included_));
    out.view.circle_next = included_;
    out.view.circle_proof = wire::encode(proof);
    const auto& all = maker_->statements();
    for (std::size_t i = seen.statements; i < all.size(); ++i) out.statements.push_back(all[i]);
    out.lookup = lookup_;
    out.roots = wire::encode(trust_);
    return out;
  }

 private:
  testkit::TestDevice first_;
  Bytes lookup_;
  circle::TrustRoots trust_;
  circle::CustodianInfo info_;
  std::optional<testkit::CircleMaker> maker_;
  std::uint64_t included_ = 0;
};

struct World {
  TestToken token;
  ShownLog log;
  circle::OperatorKeys operators;
  std::uint8_t open_days = 0;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kNow);
  std::unique_ptr<Custodian> custodian;

  World() { start(); }
  std::string data() const { return token.folder() + "/data"; }
  Result<std::unique_ptr<Custodian>> open() {
    custodian.reset();
    return Custodian::open({data(), token.place(), log.site.roots, operators, open_days}, clock);
  }
  // Again, as after the end of the process.
  void start() {
    auto opened = open();
    if (!opened.ok()) ADD_FAILURE() << opened.error().message;
    if (opened.ok()) custodian = std::move(opened).value();
  }
  ShownAccount account(const std::string& device = "laptop") { return {device, log, *custodian}; }
  // Of an account that left the standard level, all of it in the log.
  ShownAccount advanced(const std::string& device = "laptop") {
    ShownAccount out = account(device);
    EXPECT_TRUE(custodian->keep(out.id(), out.reader(), out.genesis()).ok());
    out.go_advanced();
    out.include(log);
    return out;
  }
  Result<Bytes> destroy(const ShownAccount& account) {
    return custodian->destroy(account.id(), account.reader(), account.evidence(log, *custodian));
  }
};

}  // namespace holdfast::custody
