#include "vault/contradiction.h"

namespace holdfast::vault {
namespace {

constexpr const char* kSetting = "log_contradictions";

Result<Contradictions> load(const Home& home) {
  const std::string stored = home.setting(kSetting);
  if (stored.empty()) return Contradictions();
  auto known = wire::decode<Contradictions>(as_bytes(stored));
  if (!known.ok()) return std::move(known).error().in("the state of this device");
  return known;
}

Result<void> save(Home& home, const Contradictions& known) {
  const Bytes bytes = wire::encode(known);
  return home.set_setting(kSetting, std::string(as_text(bytes)));
}

bool stands(const Contradictions& known) {
  return !known.all.empty() && known.all.back().judged_ms == 0;
}

}  // namespace

Result<std::vector<Contradiction>> contradictions(const Home& home) {
  const Contradictions known = TRY(load(home));
  return std::vector<Contradiction>(known.all.begin(), known.all.end());
}

Result<std::optional<Contradiction>> standing_contradiction(const Home& home) {
  const Contradictions known = TRY(load(home));
  if (!stands(known)) return std::optional<Contradiction>();
  return std::optional(known.all.back());
}

Result<void> remember_contradiction(Home& home, const std::string& sentence, TimeMs now) {
  Contradictions known = TRY(load(home));
  if (stands(known)) return Ok{};
  if (known.all.size() == 64) known.all.erase(known.all.begin());
  known.all.push_back({to_bytes(as_bytes(sentence)), now});
  return save(home, known);
}

Result<void> judge_contradiction(Home& home, const std::string& reason, TimeMs now) {
  Contradictions known = TRY(load(home));
  if (!stands(known)) return Error{Code::kNotFound, "there is no contradiction to judge"};
  known.all.back().judged_ms = now;
  known.all.back().reason = to_bytes(as_bytes(reason));
  return save(home, known);
}

Error stopped_by(const Contradiction& standing) {
  return {
      Code::kUnsafe,
      "the service contradicted itself, as this device found on " + human_time(standing.found_ms) +
          ": " + std::string(as_text(standing.sentence)) +
          ". Until you have judged that, this device saves nothing there and admits nobody; what "
          "you saved can still be read and restored. Ask the operator by another way than "
          "this service, look at another of your devices, and if you then trust it again: "
          "holdfast log accept --reason TEXT"};
}

Result<void> check_no_contradiction(const Home& home) {
  const auto standing = TRY(standing_contradiction(home));
  if (standing) return stopped_by(*standing);
  return Ok{};
}

}  // namespace holdfast::vault
