#include "operate.h"

#include <cstdio>
#include <ctime>

#include "control.h"
#include "json.h"
#include "server/operators.h"

namespace holdfast::daemon {
namespace {

std::string fingerprint(const crypto::VerifyKey& key) { return server::operator_id(key).hex(); }

const char* name_of(server::OperatorAct act) {
  switch (act) {
    case server::OperatorAct::kAdd: return "add";
    case server::OperatorAct::kRevoke: return "revoke";
    case server::OperatorAct::kGrantHelp: return "grant-help";
    case server::OperatorAct::kRefuseHelp: return "refuse-help";
  }
  std::abort();
}

bool is_of_help(const server::TrailEntry& entry) {
  return entry.act == server::OperatorAct::kGrantHelp ||
         entry.act == server::OperatorAct::kRefuseHelp;
}

Result<void> append(const Options& options, server::Trail trail, const Bytes& entry) {
  const Json request{{"act", "trail_append"}, {"entry", to_hex(entry)}};
  TRY(ask(options.data, request.dump() + "\n"));
  TRY(trail.apply(entry));
  const server::Act& act = trail.acts().back();
  const bool added = act.entry.act == server::OperatorAct::kAdd;
  const std::string key = fingerprint({act.entry.key});
  if (options.json) {
    print_line({{"event", added ? "added" : "revoked"},
                {"name", act.entry.name},
                {"fingerprint", key},
                {"by", act.by},
                {"n", trail.n()},
                {"head", trail.head().hex()}});
    return Ok{};
  }
  std::printf(
      "%s %s an operator, by %s.\nfingerprint  %s\nact          %llu of the trail\nhead         "
      "%s\n",
      act.entry.name.c_str(), added ? "is now" : "is no longer", act.by.c_str(), key.c_str(),
      static_cast<unsigned long long>(trail.n()), trail.head().hex().c_str());
  return Ok{};
}

Result<crypto::VerifyKey> parse_key(const std::string& text) {
  const auto bytes = from_hex(text);
  crypto::VerifyKey key;
  if (!bytes || bytes->size() != key.bytes.size())
    return Error{
        Code::kInvalid,
        "--public-key takes the 130 hexadecimal digits that `holdfastd operator key` shows"};
  std::ranges::copy(*bytes, key.bytes.begin());
  return key;
}

Result<crypto::VerifyKey> key_to_add(const OperatorOptions& operators,
                                     const crypto::SigningKey& acting) {
  if (!operators.public_key.empty()) return parse_key(operators.public_key);
  if (operators.key_file.empty()) return acting.verify_key();
  const crypto::SigningKey other = TRY(server::read_operator_key(operators.key_file));
  return other.verify_key();
}

void print_operator(const Options& options, const server::Operator& one) {
  if (options.json) {
    print_line({{"event", "operator"},
                {"name", one.name},
                {"fingerprint", fingerprint(one.key)},
                {"public_key", to_hex(one.key.bytes)},
                {"added_ms", one.added_ms},
                {"by", one.by}});
  } else {
    std::printf("%s  %s  added %s by %s\n", one.name.c_str(), fingerprint(one.key).c_str(),
                minute_of(one.added_ms).c_str(), one.by.c_str());
  }
}

void print_act(const Options& options, const server::Act& act) {
  const server::TrailEntry& entry = act.entry;
  const std::string key = is_of_help(entry) ? "" : fingerprint({entry.key});
  if (options.json) {
    print_line({{"event", "act"},
                {"n", entry.n},
                {"time_ms", entry.time_ms},
                {"act", name_of(entry.act)},
                {"name", entry.name},
                {"fingerprint", key},
                {"by", act.by},
                {"head", act.head.hex()}});
  } else {
    std::printf("%llu  %s  %s %s %s by %s\n   head %s\n", static_cast<unsigned long long>(entry.n),
                minute_of(entry.time_ms).c_str(), name_of(entry.act), entry.name.c_str(),
                key.c_str(), act.by.c_str(), act.head.hex().c_str());
  }
}

}  // namespace

std::string minute_of(TimeMs at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  char text[64] = "";
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts) == 0)
    return "at no known time";
  return text;
}

Result<server::Trail> read_trail(const Options& options) {
  const std::string answer = TRY(ask(options.data, "{\"act\":\"trail\"}\n"));
  const Json json = Json::parse(answer, nullptr, false);
  const Error bad{Code::kInvalid, "the service that runs here is of another version"};
  if (!json.is_object() || !json.contains("entries")) return bad;
  std::vector<Bytes> entries;
  for (const Json& entry : json.at("entries")) {
    auto bytes = from_hex(entry.is_string() ? entry.get<std::string>() : "-");
    if (!bytes) return bad;
    entries.push_back(*std::move(bytes));
  }
  server::Trail trail = TRY(server::Trail::verify(entries));
  TRY(server::check_anchor(trail, options.data + "/operators.anchor"));
  return trail;
}

Result<void> show_key(const Options& options, const OperatorOptions& operators) {
  auto found = operators.make ? server::make_operator_key(operators.file)
                              : server::read_operator_key(operators.file);
  if (!found.ok() && found.error().code == Code::kNotFound)
    return Error{Code::kNotFound, "there is no " + operators.file + "; --new makes a key there"};
  const crypto::SigningKey key = TRY(std::move(found));
  const std::string text = to_hex(key.verify_key().bytes);
  if (options.json) {
    print_line({{"event", "key"},
                {"public_key", text},
                {"fingerprint", fingerprint(key.verify_key())},
                {"file", operators.file}});
  } else {
    std::printf("public key   %s\nfingerprint  %s\n", text.c_str(),
                fingerprint(key.verify_key()).c_str());
  }
  return Ok{};
}

Result<void> add_operator(const Options& options, const OperatorOptions& operators) {
  const crypto::SigningKey acting = TRY(server::read_operator_key(operators.acting));
  const crypto::VerifyKey key = TRY(key_to_add(operators, acting));
  server::Trail trail = TRY(read_trail(options));
  const Bytes entry = TRY(trail.sign_add(operators.name, key, acting, SystemClock().now()));
  return append(options, std::move(trail), entry);
}

Result<void> revoke_operator(const Options& options, const OperatorOptions& operators) {
  const crypto::SigningKey acting = TRY(server::read_operator_key(operators.acting));
  server::Trail trail = TRY(read_trail(options));
  const Bytes entry = TRY(trail.sign_revoke(operators.name, acting, SystemClock().now()));
  return append(options, std::move(trail), entry);
}

Result<void> list_operators(const Options& options, const OperatorOptions& operators) {
  const server::Trail trail = TRY(read_trail(options));
  if (operators.trail) {
    for (const server::Act& act : trail.acts()) print_act(options, act);
  } else {
    for (const auto& [id, one] : trail.operators()) print_operator(options, one);
  }
  if (options.json) {
    print_line({{"event", "summary"},
                {"ok", true},
                {"operators", trail.operators().size()},
                {"acts", trail.n()},
                {"head", trail.head().hex()}});
  } else if (trail.n() == 0) {
    std::puts("There are no operators yet.");
  } else {
    std::printf("The trail is whole: %llu acts, head %s\n",
                static_cast<unsigned long long>(trail.n()), trail.head().hex().c_str());
  }
  return Ok{};
}

}  // namespace holdfast::daemon
