// The table of attacks, told to every kind of device: what each device must answer. A device that
// saw what is altered asks for it no more, and is not reached by the lie: kUntouched.
#include "hostile/scene.h"

namespace holdfast::hostile {
namespace {

struct Answer {
  std::string_view code;
  std::string_view words;
};
constexpr Answer kUntouched{"ok", ""};
constexpr Answer kDamagedKey{"corrupt", "its bytes are not what the circle says"};
constexpr Answer kOtherHistory{"unsafe", "shows another history"};
constexpr Answer kOlder{"unsafe", "older than what this device saw"};
constexpr Answer kForged{"unsafe", "its signature is wrong"};
constexpr Answer kStranger{"unsafe", "not a member"};
constexpr Answer kUpdate{"outdated", "update required"};
constexpr Answer kDisorder{"unsafe", "do not follow one another"};
constexpr Answer kDamaged{"corrupt", "its bytes are not what its name says"};
constexpr Answer kPartDamaged{"problems", "its bytes are not the ones that were written"};

struct Case {
  std::string_view attack;
  Answer known;
  Answer earlier;
  Answer bare;

  const Answer& of(Visitor visitor) const {
    switch (visitor) {
      case Visitor::kKnown: return known;
      case Visitor::kEarlier: return earlier;
      case Visitor::kBare: return bare;
    }
    std::abort();
  }
};
constexpr Case all(std::string_view attack, Answer answer) {
  return {attack, answer, answer, answer};
}
void PrintTo(const Case& shown, std::ostream* out) { *out << shown.attack; }

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name(info.param.attack);
  for (char& c : name)
    if (c == '-' || c == ':') c = '_';
  return name;
}

class Lie : public ::testing::TestWithParam<Case> {};

TEST_P(Lie, IsRefusedInTheRightWords) {
  for (const Visitor visitor : kVisitors) {
    SCOPED_TRACE(visitor_name(visitor));
    const Answer& answer = GetParam().of(visitor);
    const Outcome outcome = scene().visit(visitor, *attack(GetParam().attack, 1));
    EXPECT_EQ(outcome.code(), answer.code) << outcome.words();
    EXPECT_NE(outcome.words().find(answer.words), std::string::npos) << outcome.words();
    EXPECT_EQ(outcome.noticed(), !answer.words.empty()) << outcome.words();
    EXPECT_EQ(outcome.all_right, answer.words.empty());
    EXPECT_LE(outcome.snapshots, Scene::kSnapshots);
    for (const std::string& name : outcome.names)
      EXPECT_TRUE(name != "ghost" && name != "planted") << name << " was planted and is shown";
    // What proves the lie is kept by whoever has a home to keep it in.
    if (answer.code == "unsafe" && visitor != Visitor::kBare) {
      EXPECT_NE(outcome.words().find("The evidence is in"), std::string::npos) << outcome.words();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Honest, Lie, ::testing::Values(all("honest", kUntouched)), case_name);

// A server that hands out another key than the one that was sealed: Backendal, Haller, Paterson,
// "MEGA: Malleable Encryption Goes Awry" (IEEE S&P 2023) and, for keys that nothing authenticates
// in Sync, pCloud and others, Hofmann, Truong, "End-to-End Encrypted Cloud Storage in the Wild"
// (CCS 2024, eprint 2024/1616). Here each key is named by its hash in a signed statement.
INSTANTIATE_TEST_SUITE_P(KeyMaterial, Lie,
                         ::testing::Values(all("envelope-of-another-reader", kDamagedKey),
                                           all("envelope-of-another-epoch", kDamagedKey),
                                           all("vault-key-of-another-epoch", kDamagedKey),
                                           all("vault-key-of-another-vault", kDamagedKey),
                                           all("link-of-another-vault", kDamagedKey),
                                           all("naming-key-of-another-vault", kDamagedKey),
                                           all("cutting-key-of-another-vault", kDamagedKey),
                                           all("naming-key-for-vault-key", kDamagedKey),
                                           all("root-of-its-own", kDamagedKey),
                                           Case{"epoch-check", kUntouched, kForged, kForged},
                                           Case{"epoch-envelopes", kUntouched, kForged, kForged},
                                           Case{"device-key", kUntouched, kOtherHistory, kForged}),
                         case_name);

// Holdfast negotiates nothing: what is not of this version is refused, older and newer alike, and
// never skipped.
INSTANTIATE_TEST_SUITE_P(
    Downgrade, Lie,
    ::testing::Values(all("newer-suite", kUpdate), all("older-format", kUpdate),
                      all("newer-statement", kUpdate),
                      Case{"newer-record-suite", kOtherHistory, kUpdate, kUpdate},
                      all("newer-record", kUpdate)),
    case_name);

// A server that adds files, folders or readers of its own: the framing attack on MEGA (as above),
// file and folder injection into Sync and pCloud (as above), and keys of a server's own in "Share
// with Care: Breaking E2EE in Nextcloud" (Albrecht, Backendal, Coppola, Paterson, Euro S&P 2024,
// eprint 2024/546).
INSTANTIATE_TEST_SUITE_P(
    Injection, Lie,
    ::testing::Values(
        all("ghost-device", kForged), all("ghost-device-by-itself", kStranger),
        all("ghost-vault", kForged), all("ghost-recovery-key", kForged),
        all("ghost-epoch", kForged), all("ghost-snapshot", kForged), all("ghost-forget", kForged),
        all("ghost-prune", kForged), all("ghost-snapshot-by-itself", kStranger),
        all("repeated-snapshot", kDisorder),
        Case{"account-of-its-own", kOlder, kOlder, {"unsafe", "another account"}},
        Case{"account-around-the-recovery-key", kOlder, kOlder, {"unsafe", "another account"}}),
    case_name);

// Names, times and places changed, as in Sync and pCloud (Hofmann, Truong, as above). Names of
// files are sealed; what stands in plain is signed.
INSTANTIATE_TEST_SUITE_P(
    Metadata, Lie,
    ::testing::Values(Case{"records-of-another-vault",
                           kOtherHistory,
                           kOtherHistory,
                           {"unsafe", "belongs to another vault"}},
                      Case{"time-of-a-snapshot", kOtherHistory, kForged, kForged},
                      Case{"signer-of-a-snapshot", kOtherHistory, kStranger, kStranger},
                      Case{"root-of-a-snapshot", kOtherHistory, kForged, kForged},
                      all("pack-of-another-snapshot", kDamaged),
                      Case{"name-of-a-device", kUntouched, kOtherHistory, kForged},
                      Case{"name-of-a-vault", kUntouched, kUntouched, kForged}),
    case_name);

// Lost, and denied. That a device which saw less cannot tell is in docs/threat-model.md; only a
// public log can tell it (see rollback_test.cpp).
INSTANTIATE_TEST_SUITE_P(Rollback, Lie,
                         ::testing::Values(Case{"without-middle-snapshot", kUntouched, kDisorder,
                                                kDisorder},
                                           all("lost-but-denied", kPartDamaged)),
                         case_name);

}  // namespace
}  // namespace holdfast::hostile
