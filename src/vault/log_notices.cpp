#include "vault/log_notices.h"

#include <algorithm>
#include <cstdlib>

#include "crypto/hash.h"

namespace holdfast::vault {
namespace {

constexpr std::uint64_t kDay_s = 24 * 60 * 60;
constexpr std::uint64_t kOpeningGrace_s = kDay_s;
constexpr const char* kRootsNow = "trust_roots_now";
constexpr const char* kRootsSeen = "trust_change_seen";
constexpr const char* kFleets = "fleet_keys_since";

std::uint64_t due_s(const tlog::ReleaseBatch& batch, std::uint64_t now_s) {
  return now_s + batch.open_days * kDay_s;
}

Error withheld() {
  return {Code::kUnavailable,
          "the service does not show what its release batches have for this account"};
}

Result<void> open_entry(LogPins& pins, const ClosedBatch& closed, const CircleId& circle,
                        BytesView opening) {
  const auto entry = TRY(tlog::verify_opening(closed.value, circle, closed.n, opening));
  if (entry.releases.empty()) return Ok{};
  if (pins.released.size() == 1024) pins.released.pop_back();
  pins.released.insert(pins.released.begin(), wire::encode(entry));
  return Ok{};
}

// What the new batches have at this account's position.
Result<void> read_positions(LogPins& pins, const std::vector<tlog::ReleaseBatch>& fresh,
                            api::Session& session, const CircleId& circle, const LogMoment& moment,
                            LogStatus& status) {
  for (std::size_t done = 0; done < fresh.size();) {
    const auto page = TRY(session.read_batches(fresh[done].n));
    if (page.empty()) return withheld();
    for (const api::BatchView& one : page) {
      if (done == fresh.size()) break;
      const tlog::ReleaseBatch& batch = fresh[done++];
      const auto position = TRY(wire::decode<tlog::PositionProof>(one.position));
      TRY(tlog::verify_position(batch.root, circle, position));
      status.bytes += one.position.size() + (one.opening ? one.opening->size() : 0);
      if (!position.value) continue;
      const ClosedBatch closed{batch.n, *position.value, due_s(batch, moment.now_s)};
      if (one.opening) {
        TRY(open_entry(pins, closed, circle, *one.opening));
      } else if (pins.closed.size() < 4096) {
        pins.closed.push_back(closed);
      } else {
        return withheld();
      }
    }
  }
  return Ok{};
}

// Openings whose day has come; sorted, as the batches are, so a page has many of them.
Result<void> read_openings(LogPins& pins, api::Session& session, const CircleId& circle,
                           const LogMoment& moment, LogStatus& status) {
  wire::Bounded<ClosedBatch, 4096> left;
  std::vector<api::BatchView> page;
  std::uint64_t first = 0;
  for (const ClosedBatch& closed : pins.closed) {
    const bool due = closed.due_s <= moment.now_s;
    if (due && (page.empty() || closed.n >= first + page.size())) {
      page = TRY(session.read_batches(closed.n));
      first = closed.n;
      if (page.empty()) return withheld();
    }
    const std::optional<Bytes> opening = due ? page[closed.n - first].opening : std::nullopt;
    if (opening) {
      status.bytes += opening->size();
      TRY(open_entry(pins, closed, circle, *opening));
      continue;
    }
    if (closed.due_s + kOpeningGrace_s < moment.now_s)
      status.alarms.push_back(
          "Release batch " + std::to_string(closed.n) +
          " should have been opened to you by now and was not: what was given out of this account "
          "is kept from you longer than the service's policy allows.");
    left.push_back(closed);
  }
  pins.closed = left;
  return Ok{};
}

// Whether seven days lay between the log's having it and its effect, as far as this device can say.
Result<Notice> judge_notice(const SeenPolicy& seen, const tlog::PolicyLeaf& policy,
                            api::Visitor& files, const LogMoment& moment) {
  if (policy.version == 1) return Notice::kGiven;
  const std::uint64_t from = policy.in_effect_from_s;
  if (moment.checkpoint.time() && tlog::check_notice(from, *moment.checkpoint.time()).ok())
    return Notice::kGiven;
  // It was not there yet when this device looked last.
  if (moment.before && seen.index >= moment.known &&
      from < moment.before->current_at + tlog::kNotice_s)
    return Notice::kShort;
  const auto bytes = files.get_log("notice/" + std::to_string(seen.index));
  if (!bytes.ok()) return Notice::kUnproven;
  const auto proof = wire::decode<tlog::LeafProof>(*bytes);
  if (!proof.ok() || proof->leaf != seen.leaf || proof->index != seen.index)
    return Notice::kUnproven;
  const auto first = tlog::verify_leaf_proof(moment.log, *proof);
  const bool given = first.ok() && first->time() && tlog::check_notice(from, *first->time()).ok();
  return given ? Notice::kGiven : Notice::kUnproven;
}

Result<circle::RegionRules> read_rules(const tlog::PolicyLeaf& leaf, api::Visitor& files,
                                       const LogMoment& moment) {
  if (moment.trust.policy_key.size() != crypto::Ed25519PublicKey::kSize)
    return Error{Code::kUnsafe, "this account knows no policy key"};
  crypto::Ed25519PublicKey key;
  std::ranges::copy(moment.trust.policy_key, key.bytes.begin());
  const Bytes bytes = TRY(files.get_log("policy/" + std::to_string(leaf.version)));
  const tlog::Policy policy = TRY(tlog::verify_policy(key, leaf, bytes));
  return circle::decode_rules(policy.rules);
}

void alarm_of_notice(const SeenPolicy& seen, const tlog::PolicyLeaf& policy, LogStatus& status) {
  if (seen.notice == Notice::kGiven) return;
  status.alarms.push_back("Version " + std::to_string(policy.version) +
                          " of the service's policy " +
                          (seen.notice == Notice::kShort
                               ? "takes effect without the seven days of notice that it owes you."
                               : "is not shown to have been announced seven days before."));
}

}  // namespace

Result<void> learn_batch(LogPins& pins, const tlog::ReleaseBatch& batch, BytesView entry) {
  TRY(tlog::check_batch_follows(batch, pins.batch, pins.batch_leaf));
  pins.batch = batch.n;
  pins.batch_leaf = tlog::leaf_hash(entry);
  return Ok{};
}

void learn_policy(LogPins& pins, const tlog::PolicyLeaf& policy, BytesView entry,
                  std::uint64_t index, LogStatus& status) {
  std::uint64_t newest = 0;
  if (!pins.policies.empty()) {
    const auto before = wire::decode<tlog::PolicyLeaf>(pins.policies.back().leaf);
    if (before.ok()) newest = before->version;
  }
  if (policy.version != newest + 1)
    status.alarms.push_back("The service's log leaves out a version of its policy.");
  if (pins.policies.size() == 64) pins.policies.erase(pins.policies.begin());
  pins.policies.push_back({to_bytes(entry), index, Notice::kUnproven});
}

Result<void> check_batches(LogPins& pins, const std::vector<tlog::ReleaseBatch>& fresh,
                           api::Session& session, const CircleId& circle, const LogMoment& moment,
                           LogStatus& status) {
  TRY(read_positions(pins, fresh, session, circle, moment, status));
  TRY(read_openings(pins, session, circle, moment, status));
  status.batches = pins.batch;
  status.closed = pins.closed.size();
  for (const Bytes& bytes : pins.released) {
    const auto entry = TRY(wire::decode<tlog::BatchEntry>(bytes));
    for (const tlog::Release& one : entry.releases) status.released.push_back({entry.batch, one});
  }
  return Ok{};
}

// The one in effect, then those to come; older ones have had their time.
Result<void> check_policies(LogPins& pins, api::Visitor& files, const LogMoment& moment,
                            LogStatus& status) {
  status.now_s = moment.now_s;
  std::size_t standing = 0;
  std::vector<tlog::PolicyLeaf> leaves;
  for (const SeenPolicy& seen : pins.policies) {
    leaves.push_back(TRY(wire::decode<tlog::PolicyLeaf>(seen.leaf)));
    if (leaves.back().in_effect_from_s <= moment.now_s) standing = leaves.size() - 1;
  }
  pins.policies.erase(pins.policies.begin(),
                      pins.policies.begin() + static_cast<std::ptrdiff_t>(standing));
  for (std::size_t i = 0; i < pins.policies.size(); ++i) {
    SeenPolicy& seen = pins.policies[i];
    const tlog::PolicyLeaf& leaf = leaves[standing + i];
    if (seen.notice == Notice::kUnproven)
      seen.notice = TRY(judge_notice(seen, leaf, files, moment));
    alarm_of_notice(seen, leaf, status);
    PolicyStatus policy{leaf.version,
                        leaf.in_effect_from_s,
                        leaf.in_effect_from_s <= moment.now_s,
                        leaf.policy,
                        {}};
    auto rules = read_rules(leaf, files, moment);
    if (rules.ok()) {
      policy.rules = std::move(rules).value();
    } else {
      status.alarms.push_back("Version " + std::to_string(leaf.version) +
                              " of the service's policy cannot be read: " + rules.error().message +
                              ".");
    }
    status.policies.push_back(std::move(policy));
  }
  return Ok{};
}

// ---- trust roots ----

void tell_trust_change(const LogPins& pins, const LogMoment& moment, LogStatus& status) {
  const Digest standing = crypto::sha256(wire::encode(moment.trust));
  for (const Bytes& bytes : pins.changes) {
    const auto change = wire::decode<tlog::TrustChange>(bytes);
    if (change.ok() && change->previous == standing)
      status.trust_change_s = change->in_effect_from_s;
  }
}

Result<circle::TrustRoots> roots_in_effect(const Home& home, const circle::TrustRoots& genesis) {
  const std::string stored = home.setting(kRootsNow);
  if (stored.empty()) return genesis;
  auto roots = wire::decode<circle::TrustRoots>(as_bytes(stored));
  if (!roots.ok()) return std::move(roots).error().in("the state of this device");
  return roots;
}

Result<std::vector<Bytes>> fleet_keys(const Home& home, const circle::TrustRoots& genesis) {
  std::vector<Bytes> keys;
  const std::string stored = home.setting(kFleets);
  if (!stored.empty()) {
    auto since = wire::decode<std::vector<Bytes>>(as_bytes(stored));
    if (!since.ok()) return std::move(since).error().in("the state of this device");
    keys = std::move(since).value();
  }
  keys.insert(keys.begin(), genesis.fleet_key);
  return keys;
}

namespace {

Result<void> remember_roots(Home& home, const circle::TrustRoots& roots, BytesView encoded) {
  auto fleets = TRY(fleet_keys(home, {}));
  fleets.erase(fleets.begin());
  if (std::ranges::find(fleets, roots.fleet_key) == fleets.end()) fleets.push_back(roots.fleet_key);
  const Bytes bytes = wire::encode(fleets);
  TRY(home.set_setting(kFleets, std::string(as_text(bytes))));
  return home.set_setting(kRootsNow, std::string(as_text(encoded)));
}

}  // namespace

Result<bool> follow_trust_change(Home& home, api::Visitor& files, const circle::TrustRoots& now_in,
                                 TimeMs now) {
  const Bytes standing = wire::encode(now_in);
  const std::string name = crypto::sha256(standing).hex();
  const auto proof = files.get_log("trust/" + name);
  if (!proof.ok()) return false;
  const auto log_roots = TRY(wire::decode<tlog::LogRoots>(now_in.log));
  const auto log = TRY(tlog::TrustedLog::open(log_roots));
  const auto change = TRY(tlog::verify_trust_change(log, standing, *proof));
  const auto next = TRY(wire::decode<circle::TrustRoots>(change.roots));
  const auto next_log = TRY(wire::decode<tlog::LogRoots>(next.log));
  const auto trusted = TRY(tlog::TrustedLog::open(next_log));
  if (next.tls_pin != now_in.tls_pin || trusted.origin() != log.origin())
    return Error{Code::kUnsafe,
                 "the log has new trust roots that name another service or log: they are not "
                 "followed"};
  const auto now_s = static_cast<std::uint64_t>(now / 1000);
  if (change.in_effect_from_s > now_s) return false;
  if (log.quorum() == 0) {
    // Nobody proved when it was logged: seven days by this device's own clock.
    const std::string seen = home.setting(kRootsSeen);
    const std::string since = name + ' ' + std::to_string(now_s);
    if (!seen.starts_with(name)) {
      TRY(home.set_setting(kRootsSeen, since));
      return false;
    }
    const std::uint64_t from = std::strtoull(seen.c_str() + name.size(), nullptr, 10);
    if (now_s < from + tlog::kNotice_s) return false;
  }
  TRY(remember_roots(home, next, change.roots));
  return true;
}

}  // namespace holdfast::vault
