#include "tlog/audit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::tlog {
namespace {

using testkit::TestLog;
using testkit::TestSite;

std::vector<MapEntry> any_entries(std::uint64_t first, std::uint64_t count) {
  std::vector<MapEntry> out;
  for (std::uint64_t i = first; i < first + count; ++i) {
    const Digest hash = crypto::sha256(as_bytes(std::to_string(i)));
    out.push_back({MapLabel(hash.bytes), hash});
  }
  std::ranges::sort(out);
  return out;
}

// A service that publishes epochs of its map.
class Publisher {
 public:
  AuditRequest publish(const std::vector<MapEntry>& entries) {
    MapDelta delta;
    delta.n = ++n_;
    delta.entries = entries;
    AuditRequest out;
    out.delta = wire::encode(delta);
    MapEpoch epoch;
    epoch.n = n_;
    epoch.previous = previous_;
    epoch.root = *map_.apply(entries);
    epoch.entries = map_.size();
    epoch.delta = crypto::sha256(out.delta);
    return publish(epoch, std::move(out));
  }

  AuditRequest publish(const MapEpoch& epoch, AuditRequest out) {
    out.leaf = wire::encode(epoch);
    previous_ = leaf_hash(out.leaf);
    out.index = log_.entries.size();
    log_.add(out.leaf);
    log_.add(testkit::any_entry(log_.entries.size()));
    out.inclusion = *log_.tree(size()).prove_inclusion(out.index);
    return out;
  }

  std::uint64_t size() const { return log_.entries.size(); }
  Checkpoint checkpoint() const {
    return *site.verify(site.checkpoint(log_.head(size()), {100, 100}));
  }

  TestSite site;

 private:
  TestLog log_;
  Map map_;
  std::uint64_t n_ = 0;
  std::optional<Digest> previous_;
};

class Auditing : public testing::Test {
 protected:
  Result<Bytes> audit(const AuditRequest& request) {
    return auditor_.audit(service_.checkpoint(), request, 1234);
  }

  Publisher service_;
  Auditor auditor_{MapReplica(), testkit::seed(99)};
};

TEST_F(Auditing, VouchesForEachEpochThatOnlyInserts) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    const AuditRequest request = service_.publish(any_entries(i * 10, 10));
    const auto signed_audit = audit(request);
    ASSERT_TRUE(signed_audit.ok()) << signed_audit.error().message;
    const auto audit = verify_audit(service_.site.trusted(), *signed_audit);
    ASSERT_TRUE(audit.ok());
    EXPECT_EQ(audit->n, i + 1);
    EXPECT_EQ(audit->leaf, leaf_hash(request.leaf));
    EXPECT_EQ(audit->tree_size, service_.size());
    EXPECT_EQ(audit->time_s, 1234U);
  }
}

TEST_F(Auditing, VouchesAgainForTheNewest) {
  AuditRequest request = service_.publish(any_entries(0, 10));
  ASSERT_TRUE(audit(request).ok());
  request.delta.clear();
  EXPECT_TRUE(audit(request).ok());
}

TEST_F(Auditing, RefusesAnEpochThatIsNotInTheLog) {
  AuditRequest request = service_.publish(any_entries(0, 10));
  request.index ^= 1U;
  EXPECT_EQ(audit(request).error().code, Code::kUnsafe);
  EXPECT_EQ(auditor_.replica().n(), 0U);
}

TEST_F(Auditing, RefusesASkippedEpoch) {
  static_cast<void>(service_.publish(any_entries(0, 10)));
  EXPECT_EQ(audit(service_.publish(any_entries(10, 10))).error().code, Code::kUnsafe);
}

TEST_F(Auditing, RefusesAChangedEntryADisorderAndAFalseRoot) {
  ASSERT_TRUE(audit(service_.publish(any_entries(0, 10))).ok());
  const auto attempt = [&](const std::vector<MapEntry>& entries, std::uint64_t count) {
    MapDelta delta;
    delta.n = 2;
    delta.entries = entries;
    AuditRequest request;
    request.delta = wire::encode(delta);
    MapEpoch epoch;
    epoch.n = 2;
    epoch.previous = auditor_.replica().newest();
    const auto root = auditor_.replica().map().root_after(entries);
    epoch.root = root.ok() ? *root : Digest();
    epoch.entries = count;
    epoch.delta = crypto::sha256(request.delta);
    return audit(service_.publish(epoch, request));
  };
  auto changed = any_entries(0, 1);
  changed[0].value = Digest();
  EXPECT_EQ(attempt(changed, 10).error().code, Code::kUnsafe);
  EXPECT_EQ(attempt(any_entries(0, 1), 10).error().code, Code::kUnsafe);
  auto disordered = any_entries(20, 2);
  std::swap(disordered[0], disordered[1]);
  EXPECT_EQ(attempt(disordered, 12).error().code, Code::kUnsafe);
  EXPECT_EQ(attempt(any_entries(20, 2), 13).error().code, Code::kUnsafe);
  EXPECT_EQ(auditor_.replica().n(), 1U);
  EXPECT_TRUE(attempt(any_entries(20, 2), 12).ok());
}

TEST_F(Auditing, RefusesAnotherDelta) {
  AuditRequest request = service_.publish(any_entries(0, 10));
  request.delta.back() ^= 1U;
  EXPECT_EQ(audit(request).error().code, Code::kUnsafe);
}

// Two continuations of one epoch: the first that came is the only one it ever signs.
TEST_F(Auditing, SignsOneOfTwoForks) {
  Publisher other;
  ASSERT_TRUE(audit(service_.publish(any_entries(0, 10))).ok());
  static_cast<void>(other.publish(any_entries(0, 10)));
  ASSERT_TRUE(audit(service_.publish(any_entries(10, 1))).ok());
  const AuditRequest fork = other.publish(any_entries(20, 1));
  EXPECT_EQ(auditor_.audit(other.checkpoint(), fork, 1).error().code, Code::kUnsafe);
}

TEST_F(Auditing, GoesOnFromWhatWasStored) {
  const AuditRequest first = service_.publish(any_entries(0, 10));
  auto replica = MapReplica::open(first.leaf, any_entries(0, 10));
  ASSERT_TRUE(replica.ok());
  EXPECT_FALSE(MapReplica::open(first.leaf, any_entries(0, 9)).ok());
  Auditor later(std::move(*replica), testkit::seed(99));
  const AuditRequest second = service_.publish(any_entries(10, 10));
  EXPECT_TRUE(later.audit(service_.checkpoint(), second, 1).ok());
}

TEST_F(Auditing, VerifiesOnlyAuditorsOfTheRoots) {
  const AuditRequest request = service_.publish(any_entries(0, 10));
  const Bytes good = *audit(request);
  const TrustedLog trusted = service_.site.trusted();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(verify_audit(trusted, bad).ok()) << bit;
  }
  Auditor stranger(MapReplica(), testkit::seed(98));
  const auto foreign = stranger.audit(service_.checkpoint(), request, 1);
  EXPECT_EQ(verify_audit(trusted, *foreign).error().code, Code::kUnsafe);
  LogRoots elsewhere = service_.site.roots;
  elsewhere.log.name = "log.example/2";
  EXPECT_EQ(verify_audit(*TrustedLog::open(elsewhere), good).error().code, Code::kUnsafe);
}

}  // namespace
}  // namespace holdfast::tlog
