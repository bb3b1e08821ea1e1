#include "tlog/follow.h"

#include <gtest/gtest.h>

#include "tlog/map_labels.h"
#include "tlog/test_site.h"

namespace holdfast::tlog {
namespace {

struct TestPurpose {};

Digest number(std::uint8_t n) { return Digest(std::array<std::uint8_t, 32>{n}); }

TEST(Follow, LeavesNoEpochOut) {
  MapEpoch epoch;
  epoch.n = 3;
  epoch.previous = number(2);
  EXPECT_TRUE(check_epoch_follows(epoch, 2, number(2)).ok());
  EXPECT_FALSE(check_epoch_follows(epoch, 1, number(2)).ok());
  EXPECT_FALSE(check_epoch_follows(epoch, 3, number(2)).ok());
  EXPECT_FALSE(check_epoch_follows(epoch, 2, number(1)).ok());
  EXPECT_FALSE(check_epoch_follows(epoch, 2, std::nullopt).ok());
}

struct Series {
  crypto::Key<TestPurpose> key = crypto::Key<TestPurpose>::from_bytes(Bytes(32, 5));
  Map map;

  MapLabel label(std::uint64_t n) const { return circle_label(key, n); }
  void add(std::uint64_t n, const Digest& value) {
    const MapEntry entry{label(n), value};
    ASSERT_TRUE(map.apply({&entry, 1}).ok());
  }
  Bytes proof(std::uint64_t next) const {
    SeriesProof out;
    if (next > 0) out.last = map.prove(label(next - 1));
    out.next = map.prove(label(next));
    return wire::encode(out);
  }
  Result<void> verify(BytesView shown, std::uint64_t next, const Digest& last) const {
    return verify_series(map.root(), shown, next, last,
                         [this](std::uint64_t n) { return label(n); });
  }
};

TEST(Follow, ASeriesEndsWhereItIsShownToEnd) {
  Series series;
  EXPECT_TRUE(series.verify(series.proof(0), 0, {}).ok());
  for (std::uint8_t n = 0; n < 4; ++n) series.add(n, number(n));
  EXPECT_TRUE(series.verify(series.proof(4), 4, number(3)).ok());
  // Shorter than it is, longer, with another value, with proofs of another number.
  EXPECT_FALSE(series.verify(series.proof(3), 3, number(2)).ok());
  EXPECT_FALSE(series.verify(series.proof(5), 5, number(4)).ok());
  EXPECT_FALSE(series.verify(series.proof(4), 4, number(2)).ok());
  EXPECT_FALSE(series.verify(series.proof(3), 4, number(3)).ok());
  SeriesProof cut = *wire::decode<SeriesProof>(series.proof(4));
  cut.last.reset();
  EXPECT_EQ(series.verify(wire::encode(cut), 4, number(3)).error().code, Code::kUnavailable);
}

TEST(Follow, AnAuditIsOfTheMapThatIsShown) {
  const testkit::TestSite site;
  const auto signed_by = [&](std::uint8_t who, std::uint64_t n, const Digest& leaf) {
    Audit audit;
    audit.origin = site.trusted().origin();
    audit.n = n;
    audit.leaf = leaf;
    SignedAudit out;
    const crypto::Ed25519Key key(testkit::seed(who));
    out.auditor = key.public_key().bytes;
    out.audit = wire::encode(audit);
    Bytes message = to_bytes(as_bytes("holdfast/v1/map-audit/sig"));
    append(message, crypto::sha256(out.audit).view());
    out.signature = key.sign(message);
    return wire::encode(out);
  };
  EXPECT_EQ(check_audited(site.trusted(), signed_by(99, 3, number(3)), 3, number(3)).value(), 3U);
  EXPECT_EQ(check_audited(site.trusted(), signed_by(99, 2, number(2)), 3, number(3)).value(), 2U);
  EXPECT_FALSE(check_audited(site.trusted(), signed_by(99, 3, number(2)), 3, number(3)).ok());
  EXPECT_FALSE(check_audited(site.trusted(), signed_by(98, 3, number(3)), 3, number(3)).ok());
}

}  // namespace
}  // namespace holdfast::tlog
