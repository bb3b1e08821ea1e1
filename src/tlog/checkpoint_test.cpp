#include "tlog/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tlog/test_site.h"

namespace holdfast::tlog {
namespace {

using testkit::TestSite;

// A checkpoint of a Certificate Transparency log in service, cosigned by witnesses in service, with
// the keys that a public repository checks it with.
const char* const kRealKey =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const char* const kRealWitness =
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
const char* const kRealNote =
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
    "\n"
    "— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMH"
    "bdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3Ny"
    "gNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— transparency.dev/DEV:witness-little-garden "
    "2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhI"
    "gcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "— remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTy"
    "nk5XeU/zZ0WBxtqB0DrAWfBw==\n";

TrustedLog real_log() {
  LogRoots roots;
  roots.log = testkit::holder(*NoteKey::parse(kRealKey));
  roots.witnesses.push_back(testkit::holder(*NoteKey::parse(kRealWitness)));
  roots.quorum = 1;
  return *TrustedLog::open(roots);
}

TEST(Checkpoint, OfALogInServiceVerifies) {
  const auto checkpoint = Checkpoint::verify(real_log(), as_bytes(kRealNote));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->head().size, 1'432'088'532U);
  EXPECT_EQ(checkpoint->witnessed().size(), 1U);
  const ProvenTime expected{0x6a122120, 0x6a122120};
  EXPECT_EQ(checkpoint->time(), expected);
}

// Lines of keys that are not trusted are ignored, so their bits do not count.
TEST(Checkpoint, OfALogInServiceIsRefusedWithAnyTrustedBitFlipped) {
  const std::string all = kRealNote;
  const TrustedLog log = real_log();
  const std::size_t text_end = all.find("— ");
  const std::size_t log_line = all.find("— ", text_end + 1);
  const std::size_t foreign_line = all.find("— transparency.dev");
  const std::size_t witness_line = all.find("— remora");
  for (std::size_t bit = 0; bit < all.size() * 8; ++bit) {
    const std::size_t at = bit / 8;
    if ((at >= text_end && at < log_line) || (at >= foreign_line && at < witness_line)) continue;
    Bytes bad = to_bytes(as_bytes(all));
    bad[at] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(Checkpoint::verify(log, bad).ok()) << bit;
  }
}

TEST(CheckpointText, FormatsWhatItParses) {
  const std::string text =
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  const auto parsed = CheckpointText::parse(text);
  EXPECT_EQ(parsed->origin, "example.com/behind-the-sofa");
  EXPECT_EQ(parsed->head.size, 20'852'163U);
  EXPECT_EQ(parsed->format(), text);
  EXPECT_EQ(CheckpointText::parse(text + "more\nlines\n")->format(), text + "more\nlines\n");
}

TEST(CheckpointText, RefusesOtherSpellings) {
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  for (const std::string& bad :
       {std::string(), std::string("a\n"), std::string("a\n1\n"), "\n1\n" + root, "a\n01\n" + root,
        "a\n-1\n" + root, "a\n+1\n" + root, "a\n1 \n" + root, "a\n9223372036854775808\n" + root,
        "a\n18446744073709551616\n" + root, "a\n99999999999999999999\n" + root, "a\n0x1\n" + root,
        "a\n\n" + root, std::string("a\n1\nCsUY\n"), "a\n1\n" + root + "\n", "a\n1\n" + root + "x",
        "a\n1\n" + root.substr(0, root.size() - 1)})
    EXPECT_FALSE(CheckpointText::parse(bad).ok()) << bad;
}

// ---- quorum ----

const TreeHead kHead{5, Digest(std::array<std::uint8_t, 32>{7})};

TEST(Checkpoint, NeedsTheLogAndAQuorum) {
  const TestSite site(3, 2);
  EXPECT_TRUE(site.verify(site.checkpoint(kHead, {100, 200})).ok());
  EXPECT_EQ(site.verify(site.checkpoint(kHead, {100, 200, 300}))->witnessed().size(), 3U);
  EXPECT_EQ(site.verify(site.checkpoint(kHead, {100})).error().code, Code::kUnsafe);
  Note note = site.checkpoint(kHead, {100, 200});
  note.signatures.erase(note.signatures.begin());
  EXPECT_EQ(site.verify(note).error().code, Code::kUnsafe);
}

TEST(Checkpoint, IsRefusedWithAFalseSignatureOfAKnownWitness) {
  const TestSite site(3, 2);
  Note note = site.checkpoint(kHead, {100, 200, 300});
  note.signatures.back().signature.back() ^= 1U;
  EXPECT_EQ(site.verify(note).error().code, Code::kUnsafe);
}

TEST(Checkpoint, CountsNoStranger) {
  const TestSite site(3, 2);
  Note note = site.checkpoint(kHead, {100});
  const Cosigner stranger("witness.example/w1", testkit::seed(77));  // the name of another
  note.signatures.push_back(stranger.cosign(note.text, 200));
  EXPECT_FALSE(site.verify(note).ok());
}

TEST(Checkpoint, OfAnotherLogIsRefused) {
  const TestSite site(3, 2);
  TestSite other(3, 2);
  other.log = LogSigner("log.example/2", testkit::seed(1));
  EXPECT_EQ(site.verify(other.checkpoint(kHead, {100, 200})).error().code, Code::kUnsafe);
  EXPECT_FALSE(site.verify(site.checkpoint({0, kHead.root}, {100, 200})).ok());
  EXPECT_TRUE(site.verify(site.checkpoint({0, empty_root()}, {100, 200})).ok());
}

TEST(Checkpoint, WithoutWitnessesProvesNoTime) {
  const TestSite site(0, 0);
  const auto checkpoint = site.verify(site.checkpoint(kHead, {}));
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_EQ(checkpoint->time(), std::nullopt);
}

TEST(TrustedLog, RefusesRootsThatMakeNoSense) {
  const auto opens = [](auto&& change) {
    TestSite site(3, 2);
    change(site.roots);
    return TrustedLog::open(site.roots).ok();
  };
  EXPECT_TRUE(opens([](LogRoots&) {}));
  EXPECT_FALSE(opens([](LogRoots& r) { r.quorum = 4; }));
  EXPECT_FALSE(opens([](LogRoots& r) { r.quorum = 0; }));
  EXPECT_FALSE(opens([](LogRoots& r) { r.log.name = "a b"; }));
  EXPECT_FALSE(opens([](LogRoots& r) { r.witnesses[1].name = r.witnesses[0].name; }));
  EXPECT_FALSE(opens([](LogRoots& r) { r.witnesses[1].key = r.witnesses[0].key; }));
  EXPECT_FALSE(opens([](LogRoots& r) { r.witnesses[1].key = r.log.key; }));
  EXPECT_FALSE(opens([](LogRoots& r) { r.auditors[0].key = r.witnesses[2].key; }));
  EXPECT_TRUE(opens([](LogRoots& r) { r.auditors.clear(); }));
}

// ---- proven time ----

std::vector<Witnessed> at(const std::vector<std::uint64_t>& times) {
  std::vector<Witnessed> out;
  for (const std::uint64_t time : times) out.push_back({"w", time});
  return out;
}

TEST(ProvenTime, WithAQuorumOfSignaturesIsTheirEarliestAndLatest) {
  const ProvenTime both = prove_time(at({100, 160}), 2);
  EXPECT_EQ(both.current_at, 100U);
  EXPECT_EQ(both.existed_by, 160U);
}

TEST(ProvenTime, OneLiarOfThreeMakesNothingFreshOrOld) {
  const std::uint64_t now = 1'000'000;
  const std::uint64_t old = now - 3 * kMaxCheckpointAge_s;
  // Two honest witnesses signed long ago, the liar says it was now, or later.
  EXPECT_EQ(*age_s(prove_time(at({old, old, now}), 2), now), 3 * kMaxCheckpointAge_s);
  EXPECT_EQ(*age_s(prove_time(at({old, old, 2 * now}), 2), now), 3 * kMaxCheckpointAge_s);
  EXPECT_EQ(*age_s(prove_time(at({old, now}), 2), now), 3 * kMaxCheckpointAge_s);
  // Two signed now, the liar says long ago.
  EXPECT_EQ(*age_s(prove_time(at({now, now, old}), 2), now), 0U);
  EXPECT_EQ(*age_s(prove_time(at({now, now, 0}), 2), now), 0U);
}

// Fewer liars than the quorum, whatever they say and whoever else signed: what is proven is true.
TEST(ProvenTime, IsTrueWhateverTheLiarsSay) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t quorum = 1 + random() % 5;
    const std::size_t liars = random() % quorum;
    const std::size_t honest = quorum - liars + random() % 4;
    std::vector<std::uint64_t> truth;
    for (std::size_t i = 0; i < honest; ++i) truth.push_back(1000 + random() % 50);
    std::vector<std::uint64_t> all = truth;
    for (std::size_t i = 0; i < liars; ++i) all.push_back(random() % 2000);
    std::ranges::shuffle(all, random);
    const ProvenTime time = prove_time(at(all), quorum);
    EXPECT_LE(time.current_at, std::ranges::max(truth));
    EXPECT_GE(time.existed_by, std::ranges::min(truth));
    // With a quorum of honest ones, liars cannot push it out of the honest times either.
    if (honest >= quorum) {
      EXPECT_GE(time.current_at, std::ranges::min(truth));
      EXPECT_LE(time.existed_by, std::ranges::max(truth));
    }
  }
}

TEST(ProvenTime, TellsAClockThatIsBehind) {
  const ProvenTime time{1000, 1000};
  EXPECT_EQ(*age_s(time, 1300), 300U);
  EXPECT_EQ(*age_s(time, 1000 - kClockTolerance_s), 0U);
  EXPECT_EQ(age_s(time, 999 - kClockTolerance_s).error().code, Code::kInvalid);
}

TEST(ProvenTime, ElapsedIsFromTheLatestStartToTheEarliestEnd) {
  EXPECT_EQ(elapsed_s({100, 160}, {300, 900}), 140U);
  EXPECT_EQ(elapsed_s({100, 400}, {300, 900}), 0U);
}

}  // namespace
}  // namespace holdfast::tlog
