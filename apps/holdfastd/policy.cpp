#include "policy.h"

#include <sys/stat.h>

#include <cstdio>

#include "base/file.h"
#include "control.h"
#include "crypto/hash.h"
#include "json.h"
#include "policy_toml.h"
#include "server/public_log.h"
#include "tlog/notice.h"

namespace holdfast::daemon {
namespace {

using Seed = crypto::Key<crypto::Ed25519Purpose>;

// In front of the private key in its file, so that nobody publishes that file for the public one.
constexpr std::string_view kPrivate = "holdfast-policy-private-key ";
constexpr std::size_t kMaxSigned = circle::kMaxRules + 1024;

// ---- keys ----

Result<crypto::Ed25519Key> make_key(const std::string& path) {
  Bytes seed(Seed::kSize);
  crypto::random_fill(seed);
  const crypto::WipedBytes wiped(std::move(seed));
  std::string text = std::string(kPrivate) + to_hex(wiped.view()) + "\n";
  const auto made = create_file(path, as_bytes(text), 0600);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  TRY(made);
  return crypto::Ed25519Key(Seed::from_bytes(wiped.view()));
}

Result<crypto::Ed25519Key> read_key(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return Error{Code::kDenied, path + " can be read by others: chmod 600 " + path};
  const crypto::WipedBytes text(TRY(read_file(path, 4096)));
  std::string_view digits = as_text(text.view());
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  const bool named = digits.starts_with(kPrivate);
  if (named) digits.remove_prefix(kPrivate.size());
  auto seed = from_hex(digits);
  if (!named || !seed || seed->size() != Seed::kSize)
    return Error{
        Code::kInvalid,
        path + " is no private key of policies; holdfastd policy key FILE --new makes one"};
  const crypto::WipedBytes wiped(*std::move(seed));
  return crypto::Ed25519Key(Seed::from_bytes(wiped.view()));
}

// ---- signed policies ----

struct Known {
  tlog::Policy policy;
  circle::RegionRules rules;
  Bytes bytes;
};

Result<Known> parse_signed(Bytes bytes) {
  const auto outer = TRY(wire::decode<tlog::SignedPolicy>(bytes));
  auto policy = TRY(wire::decode<tlog::Policy>(outer.policy));
  auto rules = TRY(circle::decode_rules(policy.rules));
  return Known{std::move(policy), std::move(rules), std::move(bytes)};
}

Result<Known> read_signed(const std::string& path) {
  auto known = parse_signed(TRY(read_file(path, kMaxSigned)));
  if (known.ok()) return known;
  return Error{Code::kInvalid, path + " is no signed policy: holdfastd policy sign makes one"};
}

std::uint64_t now_s() { return static_cast<std::uint64_t>(SystemClock().now() / 1000); }

// The first one counts at once, also where its day is over; those after it give notice.
Result<std::uint64_t> effect_of(const PolicyDraft& draft, bool first, const std::string& path) {
  if (first) return draft.in_effect_from_s.value_or(now_s());
  const std::uint64_t earliest = now_s() + tlog::kNotice_s + server::kLead_s;
  const std::string when = "at the earliest " + circle::spell_time(earliest + 59) +
                           ", seven days and an hour from now, so that every device has seven "
                           "days' notice";
  if (!draft.in_effect_from_s)
    return Error{Code::kInvalid, path + " says no in_effect_from; it is " + when};
  if (*draft.in_effect_from_s < earliest)
    return Error{Code::kInvalid, path + " would take effect " +
                                     circle::spell_time(*draft.in_effect_from_s) + "; it can " +
                                     when};
  return *draft.in_effect_from_s;
}

Result<Known> sign(const std::string& path, const crypto::Ed25519Key& key,
                   const std::optional<Known>& before) {
  const PolicyDraft draft = TRY(read_policy_toml(path));
  tlog::Policy policy;
  policy.version = before ? before->policy.version + 1 : 1;
  if (before) policy.previous = crypto::sha256(before->bytes);
  policy.in_effect_from_s = TRY(effect_of(draft, !before, path));
  policy.rules = wire::encode(draft.rules);
  return parse_signed(tlog::sign_policy(key, policy));
}

// ---- told ----

Json json_of(const circle::Terms& terms) {
  Json out{{"enable", terms.enable == circle::Offer::kOffered ? "offered" : "withdrawn"},
           {"oldest_client", circle::format(terms.oldest_client)},
           {"open_days", terms.open_days},
           {"note", terms.note}};
  if (terms.leave_by_s) out["leave_by_seconds"] = *terms.leave_by_s;
  return out;
}

void add_rules(Json& to, const circle::RegionRules& rules) {
  to["others"] = json_of(rules.others);
  to["regions"] = Json::object();
  for (const circle::RegionTerms& one : rules.regions)
    to["regions"][one.region] = json_of(one.terms);
}

void print_terms(const std::string& where, const circle::Terms& terms) {
  std::printf("  %s: %s\n", where.c_str(), circle::describe(terms).c_str());
  if (terms.oldest_client != circle::ClientVersion{})
    std::printf("      programs older than %s are told to update\n",
                circle::format(terms.oldest_client).c_str());
  if (terms.open_days > 0)
    std::printf("      releases are opened to the account after %u days\n",
                static_cast<unsigned>(terms.open_days));
  for (std::size_t at = 0; at < terms.note.size();) {
    const std::size_t end = std::min(terms.note.find('\n', at), terms.note.size());
    std::printf("      | %s\n", terms.note.substr(at, end - at).c_str());
    at = end + 1;
  }
}

void print_rules(const circle::RegionRules& rules) {
  for (const circle::RegionTerms& one : rules.regions) print_terms(one.region, one.terms);
  print_terms(rules.regions.empty() ? "every region" : "every other region", rules.others);
}

void tell(const Options& options, const char* event, const Known& known, bool in_effect) {
  const std::uint64_t from = known.policy.in_effect_from_s;
  if (options.json) {
    Json out{{"event", event},
             {"version", known.policy.version},
             {"in_effect", in_effect},
             {"from_seconds", from},
             {"sha256", crypto::sha256(known.bytes).hex()}};
    add_rules(out, known.rules);
    print_line(out);
    return;
  }
  std::printf("Version %llu, in effect %s %s\n",
              static_cast<unsigned long long>(known.policy.version), in_effect ? "since" : "from",
              circle::spell_time(from).c_str());
  print_rules(known.rules);
}

// ---- the service that runs ----

Result<std::vector<Known>> ask_policies(const Options& options) {
  const std::string answer = TRY(ask(options.data, "{\"act\":\"policies\"}\n"));
  const Json json = Json::parse(answer, nullptr, false);
  const Error bad{Code::kInvalid, "the service that runs here is of another version"};
  if (!json.is_object() || !json.contains("policies")) return bad;
  std::vector<Known> out;
  for (const Json& one : json.at("policies")) {
    auto bytes = from_hex(one.is_string() ? one.get<std::string>() : "-");
    if (!bytes) return bad;
    out.push_back(TRY(parse_signed(*std::move(bytes))));
  }
  return out;
}

Result<Known> sign_next(const Options& options, const PolicyOptions& policy) {
  const crypto::Ed25519Key key = TRY(read_key(policy.key));
  std::vector<Known> known = TRY(ask_policies(options));
  std::optional<Known> before;
  if (!known.empty()) before = std::move(known.back());
  return sign(policy.file, key, before);
}

}  // namespace

Result<void> policy_key(const Options& options, const PolicyOptions& policy) {
  auto found = policy.make ? make_key(policy.file) : read_key(policy.file);
  if (!found.ok() && found.error().code == Code::kNotFound)
    return Error{Code::kNotFound, "there is no " + policy.file + "; --new makes a key there"};
  const crypto::Ed25519Key key = TRY(std::move(found));
  const std::string text = to_hex(key.public_key().bytes);
  if (options.json) {
    print_line({{"event", "policy_key"}, {"public_key", text}, {"file", policy.file}});
  } else {
    std::printf("public key   %s\n", text.c_str());
  }
  return Ok{};
}

Result<void> policy_check(const Options& options, const PolicyOptions& policy) {
  const PolicyDraft draft = TRY(read_policy_toml(policy.file));
  if (options.json) {
    Json out{{"event", "policy_checked"}};
    if (draft.in_effect_from_s) out["from_seconds"] = *draft.in_effect_from_s;
    add_rules(out, draft.rules);
    print_line(out);
    return Ok{};
  }
  std::printf("In effect %s\n",
              draft.in_effect_from_s
                  ? ("from " + circle::spell_time(*draft.in_effect_from_s)).c_str()
                  : "at once, which only the first policy can be");
  print_rules(draft.rules);
  return Ok{};
}

Result<void> policy_sign(const Options& options, const PolicyOptions& policy) {
  const crypto::Ed25519Key key = TRY(read_key(policy.key));
  std::optional<Known> before;
  if (!policy.after.empty()) {
    before = TRY(read_signed(policy.after));
    const tlog::PolicyLeaf leaf{
        {}, before->policy.version, crypto::sha256(before->bytes), before->policy.in_effect_from_s};
    TRY(tlog::verify_policy(key.public_key(), leaf, before->bytes));
  }
  const Known made = TRY(sign(policy.file, key, before));
  TRY(create_file(policy.out, made.bytes, 0644));
  tell(options, "policy_signed", made, made.policy.in_effect_from_s <= now_s());
  return Ok{};
}

Result<void> policy_publish(const Options& options, const PolicyOptions& policy) {
  const Known known =
      TRY(policy.key.empty() ? read_signed(policy.file) : sign_next(options, policy));
  const Json request{{"act", "policy_append"}, {"policy", to_hex(known.bytes)}};
  TRY(ask(options.data, request.dump() + "\n"));
  tell(options, "policy_published", known, known.policy.in_effect_from_s <= now_s());
  if (!options.json)
    std::puts("It goes into the public log with its next step, and devices read it there.");
  return Ok{};
}

Result<void> policy_show(const Options& options, const PolicyOptions&) {
  const std::vector<Known> all = TRY(ask_policies(options));
  std::size_t first = 0;
  const auto counts = [](const Known& one) { return one.policy.in_effect_from_s <= now_s(); };
  for (std::size_t i = 0; i < all.size(); ++i)
    if (counts(all[i])) first = i;
  for (std::size_t i = first; i < all.size(); ++i) tell(options, "policy", all[i], counts(all[i]));
  if (options.json) {
    print_line({{"event", "summary"}, {"ok", true}, {"policies", all.size()}});
  } else if (all.empty()) {
    std::puts("No policy was published: everything is offered everywhere.");
  }
  return Ok{};
}

Result<Bytes> read_policy_key(const std::string& named) {
  const auto as_key = [](std::string_view text) -> std::optional<Bytes> {
    auto bytes = from_hex(text);
    if (!bytes || bytes->size() != crypto::Ed25519PublicKey::kSize) return std::nullopt;
    return bytes;
  };
  if (auto key = as_key(named)) return *std::move(key);
  const Bytes file = TRY(read_file(named, 4096));
  std::string_view text = as_text(file);
  if (text.starts_with(kPrivate))
    return Error{Code::kDenied, named +
                                    " is the private key: keep it away from this machine, and "
                                    "give what `holdfastd policy key` shows"};
  if (auto key = as_key(text.substr(0, text.find('\n')))) return *std::move(key);
  return Error{Code::kInvalid,
               "--policy-key takes the 64 hexadecimal digits that `holdfastd policy key` shows, or "
               "a file with them"};
}

}  // namespace holdfast::daemon
