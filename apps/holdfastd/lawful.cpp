#include "lawful.h"

#include <cstdio>

#include "base/file.h"
#include "control.h"
#include "lawful/order.h"
#include "operate.h"
#include "server/lawful_store.h"

namespace holdfast::daemon {
namespace {

Result<std::vector<Bytes>> bytes_list(const Json& json, const char* name) {
  std::vector<Bytes> out;
  if (!json.is_object() || !json.contains(name) || !json.at(name).is_array()) return misread();
  for (const Json& one : json.at(name)) {
    auto bytes = from_hex(one.is_string() ? one.get<std::string>() : "-");
    if (!bytes) return misread();
    out.push_back(*std::move(bytes));
  }
  return out;
}

Result<lawful::Law> read_law(const std::string& folder) {
  std::vector<std::vector<lawful::Instrument>> all;
  auto names = list_dir(folder);
  if (!names.ok())
    return Error{Code::kNotFound, "there are no jurisdictions in " + folder +
                                      ": --jurisdictions names the folder with their files"};
  for (const std::string& name : *names) {
    if (!name.ends_with(".toml")) continue;
    const std::string path = folder + "/" + name;
    const Bytes bytes = TRY(read_file(path, lawful::kMaxLawFile));
    auto one = lawful::read_jurisdiction(bytes);
    if (!one.ok()) return std::move(one).error().in(path);
    all.push_back(*std::move(one));
  }
  return lawful::Law::make(std::move(all));
}

Result<std::vector<lawful::SignedStep>> steps_in(const Json& answer) {
  std::vector<lawful::SignedStep> out;
  if (!answer.contains("steps") || !answer.at("steps").is_array()) return misread();
  for (const Json& one : answer.at("steps")) {
    auto entry = from_hex(one.value("entry", "-"));
    auto document = from_hex(one.value("document", "-"));
    if (!entry || !document) return misread();
    out.push_back({*std::move(entry), *std::move(document)});
  }
  return out;
}

Json json_of(const lawful::Finding& one) {
  return {{"rule", one.rule},
          {"statute", one.statute},
          {"outcome", std::string(name_of(one.outcome))},
          {"text", one.text}};
}

Json json_of(const lawful::Item& one) {
  return {{"item", one.name},       {"class", std::string(name_of(one.data))},
          {"held", one.held},       {"readable", one.readable},
          {"reached", one.reached}, {"given", one.given()},
          {"why", one.why}};
}

// All that the software can do about a capability notice.
constexpr const char* kCan =
    "withdraw the offer of the advanced level in a region, by a signed policy with seven days of "
    "notice: it is public, and says no reason";
constexpr const char* kCannot =
    "turn the advanced level off for an account that has it, make a key that opens it, or produce "
    "anything: each disclosure needs a warrant of its own";

void print_checked(const Options& options, std::uint64_t n, const lawful::Checked& checked) {
  const lawful::CheckedDocument& document = checked.document;
  const bool notice = document.kind == lawful::Kind::kCapability;
  if (options.json) {
    Json findings = Json::array();
    for (const lawful::Finding& one : document.findings) findings.push_back(json_of(one));
    Json items = Json::array();
    for (const lawful::Item& one : document.items) items.push_back(json_of(one));
    Json line{{"event", "checked"},
              {"matter", n},
              {"kind", std::string(name_of(document.kind))},
              {"passes", document.passes},
              {"verdict", checked.verdict},
              {"findings", std::move(findings)},
              {"items", std::move(items)}};
    if (notice) line.update(Json{{"can", kCan}, {"cannot", kCannot}});
    print_line(line);
    return;
  }
  for (const lawful::Finding& one : document.findings)
    std::printf("%-8s %-14s %s\n         [%s]\n", std::string(name_of(one.outcome)).c_str(),
                one.rule.c_str(), one.text.c_str(), one.statute.c_str());
  if (!document.items.empty()) std::puts("\nWhat could be produced:");
  for (const lawful::Item& one : document.items)
    std::printf("  %-3s  %-24s held %-3s  readable %-3s  reached %-3s  %s\n",
                one.given() ? "yes" : "no", one.name.c_str(), one.held ? "yes" : "no",
                one.readable ? "yes" : "no", one.reached ? "yes" : "no", one.why.c_str());
  if (notice) std::printf("\nThis software can %s.\nIt cannot %s.\n", kCan, kCannot);
  std::printf("\nMatter %llu: %s\n", static_cast<unsigned long long>(n), checked.verdict.c_str());
}

void print_step(const Options& options, const Desk& desk, lawful::Step step, std::uint64_t n) {
  const lawful::Act& act = desk.trail.acts().back();
  const auto matter = desk.trail.matter(n);
  const std::string state = matter.ok() ? std::string(name_of(matter->state)) : "";
  const std::size_t approvals = matter.ok() ? matter->approvers.size() : 0;
  if (options.json) {
    print_line({{"event", "step"},
                {"step", std::string(name_of(step))},
                {"matter", n},
                {"state", state},
                {"approvals", approvals},
                {"by", act.by},
                {"n", act.entry.n},
                {"head", act.head.hex()}});
    return;
  }
  std::printf("Matter %llu: %s by %s; it is %s now", static_cast<unsigned long long>(n),
              std::string(name_of(step)).c_str(), act.by.c_str(), state.c_str());
  if (step == lawful::Step::kApprove) std::printf(", with %zu of 2 approvals", approvals);
  std::puts(".");
}

Result<void> note_step(const Options& options, const LawfulOptions& given, lawful::Step step) {
  Desk desk = TRY(open_desk(options, given));
  lawful::NoteDocument document;
  document.text = given.because;
  return take_step(options, given, desk, step, given.matter, wire::encode(document));
}

// What two operators sign and the custodian judges: nothing beyond what the check says is given.
Result<Bytes> make_order(const Json& facts, const lawful::Demand& demand,
                         const lawful::CheckedDocument& checked, const std::string& discloser,
                         TimeMs now) {
  lawful::DisclosureOrder order;
  order.instrument = demand.digest;
  const auto circle = CircleId::from(from_hex(facts.value("circle", "")).value_or(Bytes()));
  if (!circle) return misread();
  order.circle = *circle;
  for (const lawful::Item& item : checked.items)
    for (const Json& vault : facts.at("vaults")) {
      if (!item.given() || item.name != "content of " + vault.value("name", "")) continue;
      const auto id = VaultId::from(from_hex(vault.value("id", "")).value_or(Bytes()));
      if (!id) return misread();
      order.keys.push_back({*id, vault.value("epoch", std::uint32_t{0})});
    }
  std::ranges::sort(order.keys);
  order.discloser = TRY(lawful::read_disclosure_key(discloser));
  order.requester = TRY(lawful::read_disclosure_key(demand.requester_key));
  order.from_ms = demand.from_ms.value_or(0);
  order.until_ms = demand.until_ms.value_or(now);
  order.open_days = facts.value("open_days", std::uint8_t{0});
  order.made_ms = now;
  Bytes bytes = wire::encode(order);
  TRY(lawful::read_order(bytes));
  return bytes;
}

Result<std::string> read_discloser(const std::string& path) {
  if (path.empty()) return std::string();
  const Bytes bytes = TRY(read_file(path, 8192));
  std::string text(as_text(bytes));
  while (text.ends_with('\n')) text.pop_back();
  TRY(lawful::read_disclosure_key(text));
  return text;
}

}  // namespace

Error misread() { return {Code::kInvalid, "the service that runs here is of another version"}; }

Result<Json> ask_json(const Options& options, const Json& request) {
  const std::string text = request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::string answer = TRY(ask(options.data, text));
  Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object()) return misread();
  return json;
}

Result<Desk> open_desk(const Options& options, const LawfulOptions& given) {
  lawful::Law law = TRY(read_law(given.jurisdictions));
  const Json answer = TRY(ask_json(options, {{"act", "lawful_trail"}}));
  const auto entries = TRY(bytes_list(answer, "operators"));
  server::Trail operators = TRY(server::Trail::verify(entries));
  TRY(server::check_anchor(operators, options.data + "/operators.anchor"));
  const auto steps = TRY(steps_in(answer));
  lawful::Trail trail = TRY(lawful::Trail::verify(steps, server::roster_of(operators)));
  return Desk{std::move(law), std::move(operators), std::move(trail)};
}

Result<Json> ask_facts(const Options& options, const lawful::Demand& demand) {
  return ask_json(options, {{"act", "lawful_facts"}, {"account", demand.target.account}});
}

lawful::Facts facts_in(const Json& answer) {
  lawful::Facts out;
  out.found = answer.value("found", false);
  out.alike = answer.value("alike", std::vector<std::string>());
  out.region = answer.value("region", "");
  out.standard = answer.value("standard", false);
  out.ending = answer.value("ending", false);
  out.devices = answer.value("devices", std::vector<std::string>());
  out.device_count = answer.value("device_count", std::uint64_t{0});
  out.connections = answer.value("connections", std::uint64_t{0});
  out.packs = answer.value("packs", std::uint64_t{0});
  out.bytes = answer.value("bytes", std::uint64_t{0});
  out.no_key = answer.value("no_key", "");
  out.open_days = answer.value("open_days", std::int64_t{0});
  if (!answer.contains("vaults")) return out;
  for (const Json& vault : answer.at("vaults")) {
    const std::uint64_t snapshots = vault.contains("snapshots") ? vault.at("snapshots").size() : 0;
    out.snapshots += snapshots;
    out.vaults.push_back({vault.value("name", ""), vault.value("always_e2e", false),
                          vault.value("provider_reads", false), snapshots});
  }
  return out;
}

Result<void> take_step(const Options& options, const LawfulOptions& given, Desk& desk,
                       lawful::Step step, std::uint64_t matter, Bytes document) {
  const crypto::SigningKey acting = TRY(server::read_operator_key(given.acting));
  const lawful::SignedStep made =
      TRY(desk.trail.sign(step, matter, std::move(document), acting, SystemClock().now()));
  TRY(ask_json(options, {{"act", "lawful_append"},
                         {"entry", to_hex(made.entry)},
                         {"document", to_hex(made.document)}}));
  TRY(desk.trail.apply(made));
  if (step != lawful::Step::kCheck && step != lawful::Step::kReceive &&
      step != lawful::Step::kReport && step != lawful::Step::kProduce)
    print_step(options, desk, step, matter);
  return Ok{};
}

namespace {

// The order was written by one operator's program. Made anew from the demand and what the service
// knows, for the same machine and moment, it must be the same.
Result<void> check_order(const Json& facts, const lawful::Matter& matter,
                         const lawful::CheckedDocument& again) {
  const Bytes& order = matter.checked->order;
  if (order.empty()) return Ok{};
  const auto old = TRY(lawful::read_order(order));
  const Bytes anew =
      TRY(make_order(facts, matter.demand, again, lawful::spell(old.discloser), old.made_ms));
  if (anew == order) return Ok{};
  return Error{Code::kUnsafe, "the disclosure order of matter " + std::to_string(matter.n) +
                                  " is not what its demand makes: check it again, and ask who "
                                  "checked it"};
}

// Whoever approves says which machine is to open it, by what they have of it themselves.
Result<void> check_machine(const lawful::Matter& matter, const LawfulOptions& given) {
  if (!matter.checked || matter.checked->order.empty()) return Ok{};
  const auto order = TRY(lawful::read_order(matter.checked->order));
  if (given.discloser.empty())
    return Error{Code::kInvalid,
                 "content is to be opened: name the machine that may, by "
                 "--discloser FILE, with the key that you have from whoever runs it"};
  if (TRY(read_discloser(given.discloser)) == lawful::spell(order.discloser)) return Ok{};
  return Error{Code::kUnsafe, "the order of matter " + std::to_string(matter.n) +
                                  " is for another machine than that of " + given.discloser};
}

}  // namespace

Result<void> check_still(const Options& options, const Desk& desk, const lawful::Matter& matter) {
  if (!matter.checked)
    return Error{Code::kConflict, "matter " + std::to_string(matter.n) + " was not checked yet"};
  const Json answer = TRY(ask_facts(options, matter.demand));
  lawful::Facts facts = facts_in(answer);
  facts.discloser = !matter.checked->order.empty();
  const auto again = lawful::check(desk.law, matter.demand, facts, SystemClock().now());
  const auto same = [](const lawful::Item& a, const lawful::Item& b) {
    return a.name == b.name && a.given() == b.given();
  };
  if (again.document.passes == matter.checked->passes &&
      again.document.law == matter.checked->law &&
      std::ranges::equal(again.document.items, matter.checked->items, same))
    return check_order(answer, matter, again.document);
  return Error{Code::kConflict, "what was checked in matter " + std::to_string(matter.n) +
                                    " does not hold any more: check it again"};
}

Result<void> lawful_receive(const Options& options, const LawfulOptions& given) {
  Desk desk = TRY(open_desk(options, given));
  lawful::ReceivedDocument document;
  document.demand = TRY(read_file(given.file, lawful::kMaxDemand));
  auto demand = lawful::read_demand(document.demand);
  if (!demand.ok()) return std::move(demand).error().in(given.file);
  const std::uint64_t n = desk.trail.next_matter();
  TRY(take_step(options, given, desk, lawful::Step::kReceive, n, wire::encode(document)));
  if (options.json) {
    print_line({{"event", "received"},
                {"matter", n},
                {"reference", demand->reference},
                {"instrument", demand->instrument},
                {"demand", demand->digest.hex()},
                {"by", desk.trail.acts().back().by}});
  } else {
    std::printf("Matter %llu: received by %s, reference %s.\nNext: holdfastd lawful check %llu\n",
                static_cast<unsigned long long>(n), desk.trail.acts().back().by.c_str(),
                demand->reference.c_str(), static_cast<unsigned long long>(n));
  }
  return Ok{};
}

Result<void> lawful_check(const Options& options, const LawfulOptions& given) {
  Desk desk = TRY(open_desk(options, given));
  const lawful::Matter matter = TRY(desk.trail.matter(given.matter));
  const Json answer = TRY(ask_facts(options, matter.demand));
  const std::string discloser = TRY(read_discloser(given.discloser));
  lawful::Facts facts = facts_in(answer);
  facts.discloser = !discloser.empty();
  const TimeMs now = SystemClock().now();
  lawful::Checked checked = lawful::check(desk.law, matter.demand, facts, now);
  const bool content = std::ranges::any_of(checked.document.items, [](const lawful::Item& one) {
    return one.given() && one.data == lawful::DataClass::kContent;
  });
  if (content && checked.document.passes)
    checked.document.order =
        TRY(make_order(answer, matter.demand, checked.document, discloser, now));
  TRY(take_step(options, given, desk, lawful::Step::kCheck, matter.n,
                wire::encode(checked.document)));
  print_checked(options, matter.n, checked);
  return Ok{};
}

Result<void> lawful_challenge(const Options& options, const LawfulOptions& given) {
  return note_step(options, given, lawful::Step::kChallenge);
}
Result<void> lawful_refuse(const Options& options, const LawfulOptions& given) {
  return note_step(options, given, lawful::Step::kRefuse);
}
Result<void> lawful_close(const Options& options, const LawfulOptions& given) {
  return note_step(options, given, lawful::Step::kClose);
}

// Signs the disclosure order too, where there is one.
Result<void> lawful_approve(const Options& options, const LawfulOptions& given) {
  Desk desk = TRY(open_desk(options, given));
  const lawful::Matter matter = TRY(desk.trail.matter(given.matter));
  TRY(check_machine(matter, given));
  lawful::ApprovedDocument document;
  document.checked = matter.checked_digest;
  if (matter.checked && !matter.checked->order.empty()) {
    const crypto::SigningKey acting = TRY(server::read_operator_key(given.acting));
    document.signature = wire::encode(lawful::sign_order(matter.checked->order, acting));
  }
  const Bytes bytes = wire::encode(document);
  {
    // Whether this operator may at all, before the facts are asked for.
    const crypto::SigningKey acting = TRY(server::read_operator_key(given.acting));
    TRY(desk.trail.sign(lawful::Step::kApprove, matter.n, bytes, acting, SystemClock().now()));
  }
  TRY(check_still(options, desk, matter));
  return take_step(options, given, desk, lawful::Step::kApprove, matter.n, bytes);
}

Result<void> lawful_stage(const Options& options, const LawfulOptions& given) {
  Desk desk = TRY(open_desk(options, given));
  const lawful::Matter matter = TRY(desk.trail.matter(given.matter));
  const lawful::Instrument* const instrument = desk.law.find(matter.demand.instrument);
  const lawful::Rule* const stages =
      instrument == nullptr ? nullptr : instrument->rule(lawful::RuleKind::kStages);
  if (stages == nullptr) return Error{Code::kInvalid, "this instrument has no stages"};
  const auto place = [&](const std::string& name) {
    return std::ranges::find(stages->values, name) - stages->values.begin();
  };
  if (place(given.stage) == std::ssize(stages->values))
    return Error{Code::kInvalid, "a " + instrument->name + " has no stage \"" + given.stage + "\""};
  for (const auto& [before, at] : matter.stages)
    if (place(before) > place(given.stage))
      return Error{Code::kConflict, "it is past that stage: it came to \"" + before + "\""};
  lawful::StageDocument document;
  document.stage = given.stage;
  document.text = given.because;
  return take_step(options, given, desk, lawful::Step::kStage, matter.n, wire::encode(document));
}

Result<void> lawful_preserve(const Options& options, const LawfulOptions& given) {
  Desk desk = TRY(open_desk(options, given));
  const lawful::Matter matter = TRY(desk.trail.matter(given.matter));
  const lawful::Instrument* const instrument = desk.law.find(matter.demand.instrument);
  const lawful::Rule* const rule =
      instrument == nullptr ? nullptr : instrument->rule(lawful::RuleKind::kPreserveFor);
  if (rule == nullptr)
    return Error{Code::kInvalid, "this instrument preserves nothing: no rule says for how long"};
  TRY(check_still(options, desk, matter));
  const TimeMs until = SystemClock().now() + rule->days * lawful::kDayMs;
  const Json kept = TRY(
      ask_json(options, {{"act", "lawful_preserve"}, {"matter", matter.n}, {"until_ms", until}}));
  lawful::PreservedDocument document;
  document.until_ms = kept.value("until_ms", TimeMs{0});
  document.packs = kept.value("packs", std::uint64_t{0});
  document.bytes = kept.value("bytes", std::uint64_t{0});
  TRY(take_step(options, given, desk, lawful::Step::kPreserve, matter.n, wire::encode(document)));
  if (options.json) {
    print_line({{"event", "preserved"},
                {"matter", matter.n},
                {"until_ms", document.until_ms},
                {"packs", document.packs},
                {"bytes", document.bytes},
                {"may_become_unreadable", true}});
  } else {
    std::printf(
        "%llu packs of ciphertext are kept until %s, also beyond the account's end.\n"
        "No key is kept: when the account destroys its key, nobody can read them.\n",
        static_cast<unsigned long long>(document.packs), minute_of(document.until_ms).c_str());
  }
  return Ok{};
}

}  // namespace holdfast::daemon
