// Since when nobody reads a vault who may not: by the envelopes of each epoch.
#include "vault/exposure.h"

#include <gtest/gtest.h>

#include "support/told_ages.h"

namespace holdfast::vault {
namespace {

using circle::Level;
using testkit::CircleMaker;
using testkit::vault_id;

// A laptop, a desktop, a recovery key; a vault, and one that is always end-to-end.
struct Family {
  explicit Family(Level level) : maker(std::make_shared<testkit::ToldAges>(), level) {
    desktop = maker.admit_new("desktop");
    maker.append(maker.set_vault("home"), maker.first);
    maker.append(maker.set_vault("diary", true), maker.first);
    maker.enroll("paper");
  }
  std::uint32_t safe(const std::string& vault) const {
    return epoch_without_former_readers(maker.circle(), vault_id(vault));
  }
  CircleMaker maker;
  testkit::TestDevice desktop;
};

TEST(Exposure, WhileNobodyWentThereIsNone) {
  Family family(Level::kAdvanced);
  EXPECT_EQ(family.safe("home"), 0U);
  family.maker.append(family.maker.rotate(), family.maker.first);
  EXPECT_EQ(family.safe("home"), 0U);
}

TEST(Exposure, CountsFromTheNewestEpochThatSomebodyIsNotIn) {
  Family family(Level::kAdvanced);
  family.maker.append(family.maker.remove({family.desktop.id}), family.maker.first);
  EXPECT_EQ(family.safe("home"), 2U);
  EXPECT_EQ(family.safe("diary"), 2U) << "a device reads every vault";
  family.maker.append(family.maker.rotate(), family.maker.first);
  EXPECT_EQ(family.safe("home"), 2U);
  family.maker.admit_new("phone");
  EXPECT_EQ(family.safe("home"), 2U);
}

TEST(Exposure, ACustodianCouldReadWhatItHadEnvelopesOf) {
  Family family(Level::kStandard);
  EXPECT_EQ(family.safe("home"), 0U);
  family.maker.append(family.maker.raise(), family.maker.first);
  EXPECT_EQ(family.maker.circle().custodian(), nullptr);
  EXPECT_EQ(family.safe("home"), 2U);
  EXPECT_EQ(family.safe("diary"), 0U) << "it was never a reader of that";
}

TEST(Exposure, IsOfObjectsThatStay) {
  archive::PackEntry pack{PackId{}, {}};
  PackId old;
  old.bytes[0] = 1;
  pack.objects.push_back({old, keys::PackKey::random(), archive::PackKind::kData, 1, 1});
  EXPECT_FALSE(is_exposed(pack, 0, {}));
  EXPECT_FALSE(is_exposed(pack, 1, {}));
  EXPECT_TRUE(is_exposed(pack, 2, {}));
  EXPECT_FALSE(is_exposed(pack, 2, {old}));
  pack.objects.push_back({PackId{}, keys::PackKey::random(), archive::PackKind::kData, 1, 2});
  EXPECT_TRUE(is_exposed(pack, 2, {})) << "another object beside it changes nothing";
}

}  // namespace
}  // namespace holdfast::vault
