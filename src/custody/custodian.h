// The provider's key holder: the other half of the standard level.
//
//   DATA/lock         held while a process uses the directory
//   DATA/fleet.key    signs every account's key and every receipt (0600)
//   DATA/custody.db   the keys given out, sealed by the token, and what was verified of accounts
//
// Each account's X-Wing key is sealed by an object of its own in the token, so destroying the
// object ends it, whatever copies of the database there are. It unwraps vault keys; it links
// nothing that opens a pack. What it may do, the account's own circle says, as the public log has
// it newest.
//
// Trusted by accounts at the standard level: whoever controls it, with its token, reads what they
// store there. That it kept no copy of a seed that passed through its memory cannot be shown: a
// receipt is its word.
#pragma once

#include <memory>

#include "api/custodian.h"
#include "base/file.h"
#include "base/mutex.h"
#include "circle/circle.h"
#include "circle/help.h"
#include "crypto/ed25519.h"
#include "custody/follower.h"
#include "custody/releases.h"
#include "custody/tables.h"
#include "custody/token.h"
#include "lawful/order.h"
#include "lawful/replay.h"

namespace holdfast::custody {

using lawful::CircleReplay;
using lawful::lookup_of;
using lawful::LookupKey;
using lawful::replay_circle;

struct VaultKeyPurpose {};
using VaultKey = crypto::Key<VaultKeyPurpose>;

constexpr TimeMs kUnusedMs = 60LL * 60 * 1000;             // a key that nobody keeps is destroyed
constexpr TimeMs kRetiredMs = 30LL * 24 * 60 * 60 * 1000;  // and that of an account that is gone
constexpr std::uint64_t kMaxUnused = 1000;  // so that strangers do not fill the token

// What an envelope of a vault key to a vault reader is bound to.
Bytes envelope_info(const CircleId& circle, std::uint32_t epoch, const VaultId& vault,
                    BytesView wrap_key);

struct CustodianOptions {
  std::string data;
  TokenPlace token;
  tlog::LogRoots log;  // whose word counts on what is newest
  // Any two of whom grant help and order a disclosure; none: there is neither.
  circle::OperatorKeys operators{};
  std::uint8_t open_days = 0;  // until an account is told what was given out; 90 at most
};

// Safe from several threads: it answers one after the other.
class Custodian final : public api::Custodian {
 public:
  // Goes on with what was cut short; what cannot be ended yet, sweep() tells. kUnavailable: another
  // process uses the directory. kUnsafe: its memory or key is gone, or the token is another's. Else
  // as Token::open().
  static Result<std::unique_ptr<Custodian>> open(CustodianOptions options,
                                                 std::shared_ptr<const Clock> clock);

  Result<Bytes> fleet_key() override;
  Result<Bytes> issue(const CircleId& circle) override;
  Result<void> keep(const CircleId& circle, const ReaderId& custodian, BytesView genesis) override;
  Result<api::CustodianSeen> seen(const CircleId& circle) override;
  Result<void> follow(const api::LogView& view) override;
  Result<void> show(const CircleId& circle, const api::CircleEvidence& evidence) override;
  Result<void> retire(const CircleId& circle, const ReaderId& custodian) override;
  Result<Bytes> destroy(const CircleId& circle, const ReaderId& custodian,
                        const api::CircleEvidence& evidence) override;

  Result<api::NextBatch> next_batch() override;
  Result<api::DueOpenings> due_openings() override;
  Result<void> opened(std::uint64_t batch, const CircleId& last) override;
  Result<Bytes> propose_help(const CircleId& circle, const api::HelpAsk& ask,
                             const api::CircleEvidence& evidence) override;
  Result<Bytes> list_help(const CircleId& circle, const api::HelpDue& due,
                          const api::CircleEvidence& evidence) override;
  Result<api::HelpGiven> complete_help(const CircleId& circle, const api::HelpDue& due,
                                       const std::vector<Bytes>& envelopes, BytesView batch,
                                       const api::CircleEvidence& evidence) override;
  Result<Bytes> list_disclosure(const CircleId& circle, BytesView order,
                                const api::CircleEvidence& evidence) override;
  Result<api::Disclosed> disclose(const CircleId& circle, BytesView order,
                                  const std::vector<Bytes>& envelopes, BytesView batch,
                                  const api::CircleEvidence& evidence) override;

  // Destroys keys that nobody kept, and those of accounts that are gone, and says how many; goes on
  // with those whose end was decided. To be called now and then. An error is of the last key that
  // could not be ended, after all others were.
  Result<std::size_t> sweep();
  Result<Tables::Counts> counts();

  // For the gate and for help: not behind the door. Whoever calls it has established that the
  // account is as `evidence` says, by verify().
  // kDenied: this custodian is no reader of that vault in that epoch. kUnsafe: the circle names
  // another envelope.
  Result<VaultKey> open_vault_key(const circle::Circle& verified, std::uint32_t epoch,
                                  const VaultId& vault, BytesView envelope);
  // The account as its own statements have it, the newest of which the log has. Remembers them.
  Result<circle::Circle> verify(const CircleId& circle, const api::CircleEvidence& evidence);

 private:
  Custodian(CustodianOptions options, std::shared_ptr<const Clock> clock, FileLock lock,
            Tables tables, const crypto::Key<crypto::Ed25519Purpose>& fleet,
            std::unique_ptr<Token> token, Follower follower);

  struct Replayed {
    circle::Circle circle;
    std::uint64_t known = 0;  // statements that were here before
  };
  Result<circle::Circle> replay_known(const CircleId& circle, const api::CircleEvidence& evidence,
                                      std::shared_ptr<const LookupKey> lookup) HF_REQUIRES(mutex_);
  Result<void> check_token() HF_REQUIRES(mutex_);
  Result<Bytes> make_key(const CircleId& circle, std::uint64_t number) HF_REQUIRES(mutex_);
  Result<bool> take_log(const api::LogView& view) HF_REQUIRES(mutex_);
  Result<Replayed> replay(const CircleId& circle, const api::CircleEvidence& evidence)
      HF_REQUIRES(mutex_);
  Result<circle::Circle> verify_now(const CircleId& circle, const api::CircleEvidence& evidence)
      HF_REQUIRES(mutex_);
  Result<VaultKey> open_key(const circle::Circle& verified, std::uint32_t epoch,
                            const VaultId& vault, BytesView envelope) HF_REQUIRES(mutex_);
  Result<std::uint64_t> logged_batch() HF_REQUIRES(mutex_);
  Result<bool> proposed_before(const CircleId& circle, const ReaderId& helped) HF_REQUIRES(mutex_);
  struct HelpPlan;
  Result<HelpPlan> plan_help(const CircleId& circle, const api::HelpDue& due,
                             const api::CircleEvidence& evidence) HF_REQUIRES(mutex_);
  Bytes sign_help(const HelpPlan& plan, const api::HelpDue& due,
                  const std::vector<BlobId>& blobs) const;
  // Has these listed; the leaf of the batch that they are in, or nothing.
  Result<Bytes> list(const CircleId& circle, const std::vector<tlog::Release>& releases)
      HF_REQUIRES(mutex_);
  // What the log has of these, which it shows. kUnavailable: it does not yet.
  Result<Listed> check_gate(const CircleId& circle, const std::vector<tlog::Release>& releases,
                            BytesView batch) HF_REQUIRES(mutex_);
  struct DisclosurePlan;
  Result<DisclosurePlan> plan_disclosure(const CircleId& circle, BytesView order,
                                         const api::CircleEvidence& evidence) HF_REQUIRES(mutex_);
  Result<std::vector<Bytes>> wrap_for_helped(const HelpPlan& plan,
                                             const std::vector<Bytes>& envelopes)
      HF_REQUIRES(mutex_);
  Result<Bytes> finish(KeyRow row) HF_REQUIRES(mutex_);
  // Whatever could not be ended, the others are.
  Result<void> finish_all(std::vector<KeyRow> rows) HF_REQUIRES(mutex_);
  Result<std::size_t> end_all(std::vector<KeyRow> rows) HF_REQUIRES(mutex_);

  const CustodianOptions options_;
  const std::shared_ptr<const Clock> clock_;
  const FileLock lock_;
  const crypto::Ed25519Key fleet_;
  Mutex mutex_;
  Tables tables_ HF_GUARDED_BY(mutex_);
  const std::unique_ptr<Token> token_;
  Follower follower_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::custody
