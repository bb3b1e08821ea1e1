#include "tlog/add_checkpoint.h"

#include <gtest/gtest.h>

#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::tlog {
namespace {

using testkit::TestLog;
using testkit::TestSite;

// C2SP tlog-witness, the example of a request.
const char* const kExample =
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1"
    "gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V626"
    "7UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

TEST(AddCheckpoint, ReadsTheExampleOfTlogWitness) {
  const auto request = AddCheckpoint::parse(as_bytes(kExample));
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->old_size, 20'852'014U);
  EXPECT_EQ(request->proof.size(), 4U);
  EXPECT_EQ(request->checkpoint.head.size, 20'852'163U);
  EXPECT_EQ(request->note.signatures.size(), 2U);
  EXPECT_EQ(request->format(), kExample);
}

TEST(AddCheckpoint, RefusesMalformedRequests) {
  const std::string good = kExample;
  const std::string rest = good.substr(good.find('\n') + 1);
  const std::string hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
  const auto parses = [](const std::string& body) {
    return AddCheckpoint::parse(as_bytes(body)).ok();
  };
  EXPECT_FALSE(parses(""));
  EXPECT_FALSE(parses(rest));
  EXPECT_FALSE(parses("old 020852014\n" + rest));
  EXPECT_FALSE(parses("old  20852014\n" + rest));
  EXPECT_FALSE(parses("old -1\n" + rest));
  EXPECT_FALSE(parses("Old 1\n" + rest));
  EXPECT_FALSE(parses("old 1\nAAAA\n" + rest));
  std::string many = "old 1\n";
  for (std::size_t i = 0; i < kMaxProof - 4; ++i) many += hash;
  EXPECT_TRUE(parses(many + rest));
  EXPECT_FALSE(parses(many + hash + rest));
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_EQ(parses(good.substr(0, n)), n == good.rfind("— ")) << n;  // that one is a whole note
}

class Witness : public testing::Test {
 protected:
  AddCheckpoint request(std::uint64_t from, std::uint64_t to) const {
    const Note note = site_.checkpoint(log_.head(to), {});
    return {from, *log_.tree(to).prove_consistency(from), note, *CheckpointText::parse(note.text)};
  }
  WitnessAnswer answer(const AddCheckpoint& request) {
    // Through the bytes, as on the network.
    const auto parsed = AddCheckpoint::parse(as_bytes(request.format()));
    WitnessAnswer out = answer_add_checkpoint(*parsed, &state_, site_.witnesses[0], now_);
    if (out.latest) state_.latest = *out.latest;
    return out;
  }

  const TestLog log_{40};
  const TestSite site_;
  WitnessedLog state_{{site_.log.key()}, {}};
  std::uint64_t now_ = 1'700'000'000;
};

TEST_F(Witness, CosignsWhatFollows) {
  for (const auto& [from, to] : {std::pair{0, 7}, {7, 7}, {7, 8}, {8, 40}}) {
    const auto asked = request(static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to));
    const WitnessAnswer given = answer(asked);
    ASSERT_EQ(given.status, 200) << given.body;
    const auto signatures = parse_signatures(given.body);
    ASSERT_EQ(signatures->size(), 1U);
    EXPECT_TRUE(verify(site_.witnesses[0].key(), asked.note.text, (*signatures)[0]));
    EXPECT_EQ(cosignature_time((*signatures)[0]), now_);
    EXPECT_EQ(state_.latest, log_.head(static_cast<std::uint64_t>(to)));
  }
}

TEST_F(Witness, SaysWhichSizeItHas) {
  ASSERT_EQ(answer(request(0, 20)).status, 200);
  for (const std::uint64_t old : {0, 7, 21}) {
    const WitnessAnswer given = answer(request(old, 30));
    EXPECT_EQ(given.status, 409);
    EXPECT_EQ(given.content_type, "text/x.tlog.size");
    EXPECT_EQ(*parse_size(given.body), 20U);
    EXPECT_FALSE(given.latest);
  }
  // An older checkpoint is not cosigned again: a cosignature says "the newest that I saw".
  EXPECT_EQ(answer(request(10, 10)).status, 409);
}

TEST_F(Witness, RefusesAnotherTreeOfTheSameSize) {
  ASSERT_EQ(answer(request(0, 20)).status, 200);
  TestLog other(19);
  other.add({1});
  const Note note = site_.checkpoint(other.head(20), {});
  EXPECT_EQ(answer({20, {}, note, {}}).status, 409);
  EXPECT_EQ(state_.latest, log_.head(20));
}

TEST_F(Witness, RefusesAForkAndAFalseProof) {
  ASSERT_EQ(answer(request(0, 20)).status, 200);
  TestLog other(15);
  while (other.entries.size() < 30) other.add({1});
  const Note note = site_.checkpoint(other.head(30), {});
  EXPECT_EQ(answer({20, *other.tree(30).prove_consistency(20), note, {}}).status, 422);
  auto asked = request(20, 30);
  asked.proof[0].bytes[0] ^= 1U;
  EXPECT_EQ(answer(asked).status, 422);
  asked = request(20, 30);
  asked.proof.clear();
  EXPECT_EQ(answer(asked).status, 422);
  asked = request(20, 20);
  asked.proof.push_back({});
  EXPECT_EQ(answer(asked).status, 422);
}

TEST_F(Witness, RefusesAProofBeforeItsFirst) {
  auto asked = request(0, 20);
  asked.proof.push_back({});
  EXPECT_EQ(answer(asked).status, 422);
  const Note note = site_.checkpoint({0, Digest()}, {});
  EXPECT_EQ(answer({0, {}, note, {}}).status, 409);
}

TEST_F(Witness, RefusesStrangersAndWrongSizes) {
  const TestSite stranger;
  auto asked = request(0, 20);
  EXPECT_EQ(answer_add_checkpoint(asked, nullptr, site_.witnesses[0], now_).status, 404);
  asked.note.signatures[0].signature[5] ^= 1U;
  EXPECT_EQ(answer(asked).status, 403);
  asked.note.signatures = {site_.witnesses[1].cosign(asked.note.text, 1)};
  EXPECT_EQ(answer(asked).status, 403);
  auto backwards = request(5, 20);
  backwards.old_size = 21;
  EXPECT_EQ(answer(backwards).status, 400);
  EXPECT_EQ(refuse_add_checkpoint(AddCheckpoint::parse({}).error()).status, 400);
}

TEST(ParseSize, RefusesOtherSpellings) {
  EXPECT_EQ(*parse_size("50\n"), 50U);
  for (const char* bad : {"", "50", "\n", "050\n", "50\n\n", "x\n", "18446744073709551616\n"})
    EXPECT_FALSE(parse_size(bad).ok()) << bad;
}

}  // namespace
}  // namespace holdfast::tlog
