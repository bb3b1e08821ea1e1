#include "lawful_acts.h"

#include <map>

#include "crypto/hash.h"
#include "lawful/check.h"
#include "tlog/leaves.h"

namespace holdfast::daemon {
namespace {

constexpr TimeMs kClocksApartMs = 10LL * 60 * 1000;
constexpr TimeMs kMostPreservedMs = 400 * lawful::kDayMs;

Result<Bytes> bytes_of(const Json& request, const char* name) {
  auto bytes = from_hex(request.at(name).get<std::string>());
  if (!bytes) return Error{Code::kInvalid, "bytes are sent in hexadecimal"};
  return *std::move(bytes);
}

Json hex_list(const std::vector<Bytes>& all) {
  Json out = Json::array();
  for (const Bytes& one : all) out.push_back(to_hex(one));
  return out;
}

// Every entry of the public log that binds the trail.
Result<Json> heads_in_log(server::Service& service) {
  Json out = Json::array();
  if (service.log() == nullptr) return out;
  std::uint64_t at = 0;
  for (;;) {
    const auto view = service.log()->entries(at);
    if (!view.ok() || view->leaves.empty()) return out;
    for (const Bytes& entry : view->leaves) {
      const auto leaf = tlog::decode_leaf(entry);
      const auto* const head = leaf.ok() ? std::get_if<tlog::LawfulHead>(&*leaf) : nullptr;
      if (head != nullptr)
        out.push_back({{"day", head->day}, {"commitment", head->commitment.hex()}});
    }
    at += view->leaves.size();
  }
}

Result<Json> trail(server::Service& service, const Json& request) {
  Json steps = Json::array();
  for (const lawful::SignedStep& step : TRY(service.lawful().steps()))
    steps.push_back({{"entry", to_hex(step.entry)}, {"document", to_hex(step.document)}});
  Json out{{"ok", true},
           {"operators", hex_list(TRY(service.operators().entries()))},
           {"steps", std::move(steps)}};
  if (!request.value("heads", false)) return out;
  out["openings"] = hex_list(TRY(service.lawful().openings()));
  out["log"] = service.log() != nullptr;
  out["heads"] = TRY(heads_in_log(service));
  return out;
}

Result<Json> append(server::Service& service, const Json& request) {
  lawful::SignedStep step;
  step.entry = TRY(bytes_of(request, "entry"));
  step.document = TRY(bytes_of(request, "document"));
  // The next entry may not be dated before this one: one of the future would end the trail.
  const auto outer = TRY(wire::decode<lawful::SignedEntry>(step.entry));
  const auto entry = TRY(wire::decode<lawful::Entry>(outer.entry));
  const TimeMs apart = entry.time_ms - SystemClock().now();
  if (apart > kClocksApartMs || apart < -kClocksApartMs)
    return Error{Code::kInvalid,
                 "the step is dated more than ten minutes from the clock here: set the clock"};
  TRY(service.lawful().append(step));
  return Json{{"ok", true}};
}

Json vaults_of(const server::Holdings& all) {
  Json out = Json::array();
  for (const server::VaultHoldings& one : all.vaults)
    out.push_back({{"id", one.id.hex()},
                   {"name", one.name},
                   {"always_e2e", one.always_e2e},
                   {"provider_reads", one.provider_reads},
                   {"epoch", one.epoch},
                   {"snapshots", one.snapshots}});
  return out;
}

// How the account's own statements took the provider off its list of readers.
std::string no_key_of(const circle::Circle& circle) {
  if (circle.custodian() != nullptr) return "";
  if (circle.custodians().empty())
    return "statement 0 of the account named no custodian, and no later one does";
  const circle::Custodian& last = circle.custodians().back();
  if (!last.left_seq) return "the account names no custodian";
  return "statement " + std::to_string(*last.left_seq) +
         " of the account took the custodian off its readers, and its key was to be destroyed";
}

Result<Json> facts(server::Service& service, const Json& request) {
  const auto account = request.at("account").get<std::string>();
  const auto all = TRY(service.holdings_of(account));
  Json out{{"ok", true}, {"found", all.has_value()}, {"alike", TRY(service.alike(account))}};
  if (!all) return out;
  const circle::Circle& circle = all->circle;
  Json devices = Json::array();
  for (const circle::Device& one : circle.devices()) {
    devices.push_back(one.info.name);
    devices.push_back(one.id.hex());
  }
  std::uint64_t bytes = 0;
  for (const auto& [pack, size] : all->packs) bytes += size;
  const auto policy =
      service.log() == nullptr ? server::Judged{} : service.log()->judge(circle.region());
  out.update(Json{{"circle", circle.id().hex()},
                  {"region", circle.region()},
                  {"standard", circle.custodian() != nullptr},
                  {"ending", all->row.deletion_ms.has_value()},
                  {"devices", std::move(devices)},
                  {"device_count", circle.devices().size()},
                  {"connections", all->connections.size()},
                  {"packs", all->packs.size()},
                  {"bytes", bytes},
                  {"vaults", vaults_of(*all)},
                  {"no_key", no_key_of(circle)},
                  {"open_days", policy.standing.terms.open_days}});
  return out;
}

// The service gives nothing out for a matter that two operators did not approve.
Result<lawful::Matter> approved(server::Service& service, const Json& request) {
  const lawful::Trail trail = TRY(service.lawful().trail());
  lawful::Matter matter = TRY(trail.matter(request.at("matter").get<std::uint64_t>()));
  if (matter.state != lawful::State::kApproved && matter.state != lawful::State::kProduced)
    return Error{Code::kConflict,
                 "matter " + std::to_string(matter.n) + " is " +
                     std::string(name_of(matter.state)) +
                     ": two operators must approve it before anything is produced"};
  return matter;
}

Json account_item(const std::string& account, const server::Holdings& all) {
  Json out{{"account", account},
           {"created_ms", all.row.created_ms},
           {"region", all.circle.region()},
           {"level", all.circle.custodian() != nullptr ? "standard" : "advanced"}};
  if (all.row.deletion_ms) out["deletion_ms"] = *all.row.deletion_ms;
  return out;
}

Json connection_items(const server::Holdings& all) {
  Json out = Json::array();
  for (const api::Connection& one : all.connections)
    out.push_back({{"device", one.caller.hex()},
                   {"address", one.address},
                   {"first_ms", one.first_ms},
                   {"last_ms", one.last_ms},
                   {"requests", one.requests}});
  return out;
}

Json device_items(const server::Holdings& all) {
  Json out = Json::array();
  for (const circle::Device& one : all.circle.devices()) {
    Json device{{"id", one.id.hex()},
                {"name", one.info.name},
                {"admitted_ms", one.admitted_ms},
                {"removed", one.removed_seq.has_value()}};
    out.push_back(std::move(device));
  }
  return out;
}

Json storage_item(const server::Holdings& all) {
  Json packs = Json::array();
  std::uint64_t bytes = 0;
  for (const auto& [pack, size] : all.packs) {
    packs.push_back({{"pack", pack.hex()}, {"bytes", size}});
    bytes += size;
  }
  return Json{{"packs", all.packs.size()}, {"bytes", bytes}, {"list", std::move(packs)}};
}

Json snapshot_items(const server::Holdings& all) {
  Json out = Json::array();
  for (const server::VaultHoldings& vault : all.vaults)
    for (const TimeMs at : vault.snapshots)
      out.push_back({{"vault", vault.name}, {"received_ms", at}});
  return out;
}

// Only what the check said is given, in the matter's own account.
Result<Json> data(server::Service& service, const Json& request) {
  const lawful::Matter matter = TRY(approved(service, request));
  const std::string& account = matter.demand.target.account;
  const auto all = TRY(service.holdings_of(account));
  if (!all) return Error{Code::kNotFound, "there is no account \"" + account + "\" here any more"};
  const std::map<std::string, Json (*)(const server::Holdings&)> makers{
      {"connections", connection_items},
      {"devices", device_items},
      {"storage", storage_item},
      {"snapshots", snapshot_items}};
  Json items = Json::object();
  for (const lawful::Item& item : matter.checked->items) {
    if (!item.given() || item.data == lawful::DataClass::kContent) continue;
    if (item.name == "account") {
      items[item.name] = account_item(account, *all);
    } else if (const auto maker = makers.find(item.name); maker != makers.end()) {
      items[item.name] = maker->second(*all);
    }
  }
  return Json{{"ok", true}, {"items", std::move(items)}};
}

Result<Json> preserve(server::Service& service, const Clock& clock, const Json& request) {
  const lawful::Trail trail = TRY(service.lawful().trail());
  const lawful::Matter matter = TRY(trail.matter(request.at("matter").get<std::uint64_t>()));
  const bool may = matter.open() && matter.checked && matter.checked->passes &&
                   matter.state != lawful::State::kChallenged &&
                   matter.checked->kind != lawful::Kind::kCapability &&
                   matter.checked->kind != lawful::Kind::kSecrecy;
  if (!may)
    return Error{Code::kConflict, "matter " + std::to_string(matter.n) + " is " +
                                      std::string(name_of(matter.state)) +
                                      ": only what was checked, and passes, is preserved"};
  const auto until = request.at("until_ms").get<TimeMs>();
  if (until <= clock.now() || until > clock.now() + kMostPreservedMs)
    return Error{Code::kInvalid, "data is preserved for 1 to 400 days"};
  const auto copy = TRY(service.preserve(matter.demand.target.account, matter.n, until));
  return Json{
      {"ok", true}, {"until_ms", copy.until_ms}, {"packs", copy.packs}, {"bytes", copy.bytes}};
}

Result<Json> levels(server::Service& service) {
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> all;
  for (const std::string& name : TRY(service.accounts().names())) {
    const auto circle = TRY(service.circle_of(name));
    if (!circle) continue;
    auto& [standard, advanced] = all[circle->region().empty() ? "none" : circle->region()];
    ++(circle->custodian() != nullptr ? standard : advanced);
  }
  Json out = Json::array();
  for (const auto& [region, counts] : all)
    out.push_back({{"region", region}, {"standard", counts.first}, {"advanced", counts.second}});
  return Json{{"ok", true}, {"levels", std::move(out)}};
}

// The report that the newest step of the trail seals, and no other.
Result<Json> publish(server::Service& service) {
  const lawful::Trail trail = TRY(service.lawful().trail());
  if (trail.n() == 0 || trail.acts().back().entry.step != lawful::Step::kReport)
    return Error{Code::kConflict, "the newest step is no report"};
  if (service.log() == nullptr) return Json{{"ok", true}, {"logged", false}};
  const auto report = TRY(wire::decode<lawful::ReportDocument>(trail.acts().back().document));
  tlog::LawfulReport leaf;
  leaf.period = report.period;
  leaf.report = report.report;
  TRY(service.log()->append_leaf(leaf));
  return Json{{"ok", true}, {"logged", true}};
}

Result<Json> disclose(server::Service& service, const Json& request) {
  const lawful::Matter matter = TRY(approved(service, request));
  const Bytes order = TRY(matter.signed_order());
  const auto turn = TRY(service.disclose(matter.demand.target.account, order,
                                         request.at("folder").get<std::string>()));
  return Json{{"ok", true},
              {"whole", turn.whole},
              {"waits_for", turn.waits_for},
              {"packs", turn.packs},
              {"bytes", turn.bytes}};
}

Result<Json> no_key(server::Service& service, const Json& request) {
  const lawful::Matter matter = TRY(approved(service, request));
  TRY(service.state_no_key(matter.demand.target.account, request.at("folder").get<std::string>()));
  return Json{{"ok", true}};
}

}  // namespace

Result<Json> lawful_act(server::Service& service, const Clock& clock, const std::string& what,
                        const Json& request) {
  if (what == "lawful_trail") return trail(service, request);
  if (what == "lawful_append") return append(service, request);
  if (what == "lawful_facts") return facts(service, request);
  if (what == "lawful_data") return data(service, request);
  if (what == "lawful_preserve") return preserve(service, clock, request);
  if (what == "lawful_levels") return levels(service);
  if (what == "lawful_publish") return publish(service);
  if (what == "lawful_disclose") return disclose(service, request);
  if (what == "lawful_no_key") return no_key(service, request);
  return Error{Code::kInvalid, "the service knows no such act"};
}

}  // namespace holdfast::daemon
