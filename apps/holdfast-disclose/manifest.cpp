#include "manifest.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "crypto/hash.h"

namespace holdfast::disclose {
namespace {

using Json = nlohmann::ordered_json;

Json log_of(const lawful::ShownState& state) {
  Json witnessed = Json::array();
  for (const tlog::Witnessed& one : state.checkpoint.witnessed())
    witnessed.push_back(
        {{"witness", one.witness}, {"time", utc(static_cast<std::int64_t>(one.time_s) * 1000)}});
  return {{"origin", state.checkpoint.origin()},
          {"key", state.log.log().format()},
          {"entries", state.checkpoint.head().size},
          {"root", state.checkpoint.head().root.hex()},
          {"quorum", state.log.quorum()},
          {"witnessed", std::move(witnessed)}};
}

Json vault_json(const OpenedVault& vault) {
  Json snapshots = Json::array();
  for (const OpenedSnapshot& one : vault.snapshots)
    snapshots.push_back({{"record", one.chosen.n},
                         {"received", utc(one.chosen.received_ms)},
                         {"finished_by_the_device's_clock", utc(one.finished_ms)},
                         {"device", one.chosen.device},
                         {"files", one.files},
                         {"folder", one.folder}});
  Json withheld = Json::array();
  for (const Withheld& one : vault.withheld)
    withheld.push_back({{"record", one.n}, {"received", utc(one.received_ms)}, {"why", one.why}});
  return {{"name", vault.vault.name},
          {"id", vault.vault.id.hex()},
          {"epoch", vault.epoch},
          {"snapshots", std::move(snapshots)},
          {"withheld", std::move(withheld)}};
}

Json other_vaults(const OrderedCase& from) {
  Json out = Json::array();
  for (const circle::Vault& vault : from.read.state.circle.vaults()) {
    const bool ordered = std::ranges::any_of(
        from.vaults, [&](const OrderedVault& one) { return one.vault.id == vault.id; });
    if (ordered) continue;
    out.push_back({{"id", vault.id.hex()},
                   {"why", vault.always_e2e ? "always end-to-end encrypted: no key exists"
                                            : "the order does not name it: no key was released"}});
  }
  return out;
}

Json custody_chain(const OrderedCase& from, std::int64_t now_ms) {
  const lawful::DisclosureOrder& order = from.order.order;
  Json signers = Json::array();
  for (const crypto::VerifyKey& key : from.order.signed_by) signers.push_back(to_hex(key.bytes));
  return Json::array({
      {{"step", "ordered"},
       {"order", from.order.hash.hex()},
       {"time", utc(order.made_ms)},
       {"signed_by_operators", std::move(signers)}},
      {{"step", "released by the custodian, after the public log had the batch that lists it"},
       {"batch", from.batch.n},
       {"account_is_told_after_days", from.batch.open_days}},
      {{"step", "gathered by the service"}, {"case_sha256", from.read.digest.hex()}},
      {{"step", "opened, and sealed to the requester"},
       {"time", utc(now_ms)},
       {"by_the_machine_with_the_key", to_hex(order.discloser.verify_key)},
       {"program", "holdfast-disclose " HOLDFAST_VERSION}},
  });
}

std::string text_of(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string utc(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  char text[64] = "";
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return "unknown";
  return text;
}

std::string manifest_of(const OrderedCase& from, const Opened& opened, std::int64_t now_ms) {
  const lawful::DisclosureOrder& order = from.order.order;
  Json vaults = Json::array();
  for (const OpenedVault& vault : opened.vaults) vaults.push_back(vault_json(vault));
  Json files = Json::array();
  for (const ListedFile& file : opened.files) {
    Json one{{"path", file.path},
             {"size", file.size},
             {"sha256", file.sha256.hex()},
             {"modified", utc(file.mtime_s * 1000)}};
    if (!wire::is_utf8(as_bytes(file.path))) one["path_hex"] = to_hex(as_bytes(file.path));
    files.push_back(std::move(one));
  }
  Json packs = Json::array();
  for (const PackId& pack : opened.packs) packs.push_back(pack.hex());
  return text_of(
      {{"format", "holdfast/v1/disclosure-manifest"},
       {"instrument_sha256", order.instrument.hex()},
       {"account", order.circle.hex()},
       {"time_range",
        {{"from", utc(order.from_ms)},
         {"until", utc(order.until_ms)},
         {"of",
          "the service's receipt of a snapshot, as the service says it; the files within a "
          "snapshot may be older"}}},
       {"chain_of_custody", custody_chain(from, now_ms)},
       {"log", log_of(from.read.state)},
       {"vaults", std::move(vaults)},
       {"vaults_withheld", other_vaults(from)},
       {"not_carried", Json::array({"extended attributes and access control lists of files"})},
       {"tar", {{"sha256", opened.tar.hex()}, {"bytes", opened.tar_bytes}}},
       {"files", std::move(files)},
       {"packs_opened", std::move(packs)}});
}

std::string sums_of(const std::vector<ListedFile>& files) {
  std::string out;
  for (const ListedFile& file : files) {
    // As sha256sum escapes: a backslash in front of the line, and in it.
    std::string path;
    bool escaped = false;
    for (const char c : file.path) {
      escaped = escaped || c == '\n' || c == '\\' || c == '\r';
      if (c == '\n')
        path += "\\n";
      else if (c == '\r')
        path += "\\r";
      else if (c == '\\')
        path += "\\\\";
      else
        path += c;
    }
    out += (escaped ? "\\" : "") + file.sha256.hex() + "  " + path + "\n";
  }
  return out;
}

std::string statement_of(const ReadCase& read, const lawful::NoKey& what) {
  Json vaults = Json::array();
  for (const circle::Vault& vault : what.vaults)
    vaults.push_back({{"name", vault.name}, {"id", vault.id.hex()}});
  Json receipts = Json::array();
  for (const circle::DeletionReceipt& receipt : what.receipts)
    receipts.push_back({{"custodian", receipt.custodian.hex()},
                        {"destroyed", utc(static_cast<std::int64_t>(receipt.time_s) * 1000)},
                        {"after_statement", receipt.seq}});
  const circle::Circle& circle = read.state.circle;
  return text_of({{"no_key_exists", true},
                  {"of", what.whole ? "the whole account" : "the vaults named here"},
                  {"account", circle.id().hex()},
                  {"level", what.whole ? "advanced" : "standard"},
                  {"newest_statement", circle.seq()},
                  {"head", circle.head().hex()},
                  {"vaults", std::move(vaults)},
                  {"custodians_there_ever_were", circle.custodians().size()},
                  {"receipts", std::move(receipts)},
                  {"log", log_of(read.state)}});
}

}  // namespace holdfast::disclose
