#include "lawful/check.h"

#include <algorithm>

#include "lawful/order.h"

namespace holdfast::lawful {
namespace {

// The tool's own rules have no statute.
constexpr const char* kOwn = "Holdfast, docs/lawful-demands.md";

std::string joined(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& one : all) out += (out.empty() ? "" : ", ") + one;
  return out;
}

// What a demand says may be long; the reason stays one that a person reads.
std::string short_of(std::string text) {
  constexpr std::size_t kMost = 500;
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  return text;
}

bool has(const std::vector<std::string>& all, std::string_view one) {
  return std::ranges::find(all, one) != all.end();
}

class Checker {
 public:
  Checker(const Demand& demand, const Facts& facts, TimeMs now)
      : demand_(demand), facts_(facts), now_(now) {}

  void own(std::string rule, Outcome outcome, std::string text) {
    findings_.push_back({std::move(rule), kOwn, outcome, short_of(std::move(text))});
  }
  void by(const Rule& rule, Outcome outcome, const std::string& text) {
    findings_.push_back({rule.name, rule.statute, outcome, short_of(text)});
  }

  void check_fields() {
    std::vector<std::string> missing;
    if (demand_.issuer.empty()) missing.emplace_back("issuer");
    if (demand_.role.empty()) missing.emplace_back("role");
    if (demand_.instrument.empty()) missing.emplace_back("instrument");
    if (!demand_.issued_ms) missing.emplace_back("issued");
    if (missing.empty()) {
      own("fields", Outcome::kPass, "nothing that every demand needs is missing");
    } else {
      own("fields", Outcome::kFail, "it does not say: " + joined(missing));
    }
  }

  void check_dates() {
    if (demand_.issued_ms && *demand_.issued_ms > now_)
      own("dates", Outcome::kFail,
          "it is dated " + day_of(*demand_.issued_ms) + ", which is to come");
    if (demand_.expires_ms && *demand_.expires_ms <= now_)
      own("dates", Outcome::kFail, "it expired on " + day_of(*demand_.expires_ms));
    if (demand_.from_ms && demand_.until_ms && *demand_.from_ms > *demand_.until_ms)
      own("dates", Outcome::kFail, "its range of data ends before it begins");
    if (demand_.from_ms && *demand_.from_ms > now_)
      own("dates", Outcome::kFail,
          "it asks for data of the future; this service intercepts nothing, so ask again then");
  }

  void check_target() {
    const Target& target = demand_.target;
    if (target.everyone || target.account == "*" || target.account == "all")
      return own("one-account", Outcome::kFail,
                 "it asks for everyone: data is produced for one account a matter, named exactly");
    if (target.account.empty())
      return own("target", Outcome::kFail, "it names no account in [target]");
    if (target.account.find_first_of(" ,;*?") != std::string::npos)
      return own("target", Outcome::kUnclear,
                 "\"" + target.account + "\" may mean several accounts: one exact name is needed");
    if (!facts_.alike.empty())
      return own("target", Outcome::kUnclear,
                 "\"" + target.account + "\" is ambiguous: there is also " + joined(facts_.alike));
    if (!facts_.found)
      return own("target", Outcome::kFail, "there is no account \"" + target.account + "\" here");
    own("target", Outcome::kPass, "the account \"" + target.account + "\" is one, and is here");
    check_parts();
  }

  void check_rule(const Instrument& instrument, const Rule& rule) {
    switch (rule.kind) {
      case RuleKind::kIssuer: return check_issuer(rule);
      case RuleKind::kAttests: return check_attests(rule);
      case RuleKind::kReaches: return check_reaches(instrument, rule);
      case RuleKind::kPersonNot: return check_person(rule);
      case RuleKind::kPlaceNot: return check_place_not(rule);
      case RuleKind::kPlaceOnly: return check_place_only(rule);
      case RuleKind::kValidFor: return check_valid(rule);
      case RuleKind::kGag: return check_gag_length(rule);
      case RuleKind::kAnswerWithin:
      case RuleKind::kPreserveFor:
      case RuleKind::kReviewWithin:
      case RuleKind::kExpiresAfter:
      case RuleKind::kStages:
      case RuleKind::kNote: return by(rule, Outcome::kNote, rule.text);
    }
  }

  void check_gag(const Instrument& instrument, bool content) {
    if (!demand_.gagged()) return;
    if (instrument.rule(RuleKind::kGag) == nullptr && instrument.kind != Kind::kSecrecy)
      own("gag", Outcome::kWarn,
          "it asks for silence, and nothing in this instrument's rules lets it order that");
    if (!content) return;
    const TimeMs told_by = now_ + facts_.open_days * kDayMs;
    if (demand_.gag_indefinite || *demand_.gag_until_ms > told_by)
      own("gag", Outcome::kWarn,
          "it asks for silence for longer than " + std::to_string(facts_.open_days) +
              " days, after which the account's devices are shown the release: this cannot be "
              "honoured if content is produced");
  }

  void check_requester(bool content) {
    if (!content) return;
    if (!facts_.discloser)
      own("disclosure-key", Outcome::kUnclear,
          "content would be produced, and the machine that opens it is not named: check it again "
          "with the key that holdfast-disclose made");
    if (demand_.requester_key.empty())
      return own("requester-key", Outcome::kFail,
                 "content is sealed to who asked for it, and the demand has no requester_key");
    if (!read_disclosure_key(demand_.requester_key).ok())
      own("requester-key", Outcome::kFail, "its requester_key is none: it was copied wrong");
  }

  std::vector<Finding> take() { return std::move(findings_); }

 private:
  void check_parts() {
    for (const std::string& vault : demand_.target.vaults)
      if (std::ranges::find(facts_.vaults, vault, &VaultFacts::name) == facts_.vaults.end())
        own("target", Outcome::kFail, "the account has no vault \"" + vault + "\"");
    for (const std::string& device : demand_.target.devices)
      if (!has(facts_.devices, device))
        own("target", Outcome::kFail, "the account never had a device \"" + device + "\"");
    if (!demand_.target.region.empty() && demand_.target.region != facts_.region)
      own("target", Outcome::kWarn,
          "it says that the person is in " + demand_.target.region +
              "; the account's devices say " + facts_.region);
  }

  void check_issuer(const Rule& rule) {
    if (has(rule.values, demand_.role)) return by(rule, Outcome::kPass, rule.text);
    by(rule, Outcome::kFail,
       rule.text + " It was issued by \"" + demand_.role +
           "\"; entitled are: " + joined(rule.values));
  }

  void check_attests(const Rule& rule) {
    std::vector<std::string> missing;
    for (const std::string& value : rule.values)
      if (!has(demand_.attests, value)) missing.push_back(value);
    if (missing.empty()) return by(rule, Outcome::kPass, rule.text);
    by(rule, Outcome::kFail, rule.text + " The demand does not show: " + joined(missing));
  }

  void check_reaches(const Instrument& instrument, const Rule& rule) {
    if (demand_.classes.empty())
      return by(rule, Outcome::kFail,
                "It asks for no class of data; this instrument reaches: " + joined(rule.values));
    std::vector<std::string> beyond;
    for (const std::string& asked : demand_.classes)
      if (!has(rule.values, asked)) beyond.push_back(asked);
    if (beyond.empty()) return by(rule, Outcome::kPass, rule.text);
    by(rule, Outcome::kFail,
       rule.text + " A " + instrument.name + " does not reach: " + joined(beyond));
  }

  void check_person(const Rule& rule) {
    if (has(rule.values, demand_.target.person))
      return by(rule, Outcome::kFail,
                rule.text + " The target is a " + demand_.target.person + ".");
    if (demand_.target.person == "unknown")
      return by(rule, Outcome::kUnclear,
                rule.text + " The demand does not say what the target is: ask the issuer.");
    by(rule, Outcome::kPass, rule.text);
  }

  void check_place_not(const Rule& rule) {
    for (const std::string& region : {demand_.target.region, facts_.region})
      if (has(rule.values, region))
        return by(rule, Outcome::kFail, rule.text + " The target is in " + region + ".");
    if (facts_.region.empty() && demand_.target.region.empty())
      return by(rule, Outcome::kUnclear, rule.text + " Nothing says where the target is.");
    by(rule, Outcome::kPass, rule.text);
  }

  void check_place_only(const Rule& rule) {
    if (has(rule.values, facts_.region)) return by(rule, Outcome::kPass, rule.text);
    by(rule, Outcome::kFail,
       rule.text + " The account is in " +
           (facts_.region.empty() ? "no known region" : facts_.region) + ", not in " +
           joined(rule.values) + ".");
  }

  void check_valid(const Rule& rule) {
    if (!demand_.issued_ms) return;
    if (now_ <= *demand_.issued_ms + rule.days * kDayMs) return by(rule, Outcome::kPass, rule.text);
    by(rule, Outcome::kFail, rule.text + " It is dated " + day_of(*demand_.issued_ms) + ".");
  }

  void check_gag_length(const Rule& rule) {
    if (!demand_.gagged()) return by(rule, Outcome::kNote, rule.text);
    const bool fits = rule.days == 0 || (demand_.gag_until_ms && !demand_.gag_indefinite &&
                                         *demand_.gag_until_ms <= now_ + rule.days * kDayMs);
    if (fits) return by(rule, Outcome::kPass, rule.text);
    by(rule, Outcome::kWarn, rule.text + " It asks for silence for longer than that.");
  }

  const Demand& demand_;
  const Facts& facts_;
  const TimeMs now_;
  std::vector<Finding> findings_;
};

bool reached(const Instrument* instrument, const Demand& demand, DataClass data) {
  const Rule* const rule = instrument == nullptr ? nullptr : instrument->rule(RuleKind::kReaches);
  return rule != nullptr && has(rule->values, name_of(data)) && has(demand.classes, name_of(data));
}

std::string why_not_reached(const Instrument* instrument, const Demand& demand, DataClass data) {
  if (!has(demand.classes, name_of(data))) return "it was not asked for";
  return instrument == nullptr ? "no known instrument asks for it"
                               : "this instrument does not reach it";
}

Item plain_item(const Instrument* instrument, const Demand& demand, std::string name,
                DataClass data, std::uint64_t count, std::string what) {
  Item item{std::move(name), data, count > 0, true, reached(instrument, demand, data), ""};
  if (!item.reached) {
    item.why = why_not_reached(instrument, demand, data);
  } else if (!item.held) {
    item.why = "there is none";
  } else {
    item.why = std::move(what);
  }
  return item;
}

std::string why_of_content(const Item& item, const VaultFacts& vault, const Facts& facts) {
  if (!item.held) return "nothing was stored in it";
  if (vault.always_e2e)
    return "no key exists with the provider: this vault is end-to-end encrypted at any level";
  if (!item.readable) return "no key exists with the provider: " + facts.no_key;
  return "the custodian holds its key; what is readable of it is decided by the dates";
}

Item content_item(const Instrument* instrument, const Demand& demand, const VaultFacts& vault,
                  const Facts& facts) {
  Item item{"content of " + vault.name,
            DataClass::kContent,
            vault.snapshots > 0,
            vault.provider_reads,
            reached(instrument, demand, DataClass::kContent),
            ""};
  const bool named = demand.target.vaults.empty() || has(demand.target.vaults, vault.name);
  item.reached = item.reached && named;
  if (!named) {
    item.why = "this vault was not named";
  } else if (!item.reached) {
    item.why = why_not_reached(instrument, demand, DataClass::kContent);
  } else {
    item.why = why_of_content(item, vault, facts);
  }
  return item;
}

void check_instrument(Checker& checker, const Instrument& instrument, const Demand& demand,
                      bool content) {
  if (!instrument.in_force)
    checker.own("in-force", Outcome::kFail,
                "the " + instrument.name + " (" + instrument.country_name + ") is not law yet");
  for (const Rule& rule : instrument.rules) checker.check_rule(instrument, rule);
  checker.check_gag(instrument, content);
  if (instrument.kind == Kind::kSecrecy) {
    if (demand.about.empty())
      checker.own("fields", Outcome::kFail, "it does not say which demand it is about");
    return;
  }
  if (instrument.kind != Kind::kCapability) checker.check_target();
}

std::string verdict_of(const CheckedDocument& document, const Instrument* instrument) {
  if (!document.passes) return "It cannot be answered as it stands: challenge or refuse it.";
  if (instrument->kind == Kind::kCapability)
    return "It can be tracked. Nothing can be produced under it: a warrant is needed each time.";
  if (instrument->kind == Kind::kSecrecy) return "It binds; nothing is produced under it.";
  if (instrument->kind == Kind::kRestriction)
    return "It stands; no command here restricts or deletes an account on demand.";
  if (instrument->kind == Kind::kPreservation) return "It stands: preserve it.";
  return "It stands: two operators other than who received it may approve it.";
}

}  // namespace

std::vector<Item> producible(const Instrument* instrument, const Demand& demand,
                             const Facts& facts) {
  std::vector<Item> items;
  if (!facts.found) return items;
  const auto add = [&](const char* name, DataClass data, std::uint64_t count, const char* what) {
    items.push_back(plain_item(instrument, demand, name, data, count, what));
  };
  add("account", DataClass::kSubscriber, 1, "name, region, level, when it was made");
  add("connections", DataClass::kConnection, facts.connections,
      "addresses and hours, as far as kept");
  add("devices", DataClass::kMetadata, facts.device_count, "names, systems and public keys");
  add("storage", DataClass::kMetadata, facts.packs, "how many packs, and their sizes");
  add("snapshots", DataClass::kMetadata, facts.snapshots, "when the service received each");
  for (const VaultFacts& vault : facts.vaults)
    items.push_back(content_item(instrument, demand, vault, facts));
  return items;
}

Checked check(const Law& law, const Demand& demand, const Facts& facts, TimeMs now) {
  const Instrument* const instrument = law.find(demand.instrument);
  Checked out;
  CheckedDocument& document = out.document;
  document.demand = demand.digest;
  document.kind = instrument == nullptr ? Kind::kProduction : instrument->kind;
  document.items = producible(instrument, demand, facts);
  const bool content = std::ranges::any_of(document.items, [](const Item& item) {
    return item.given() && item.data == DataClass::kContent;
  });
  Checker checker(demand, facts, now);
  checker.check_fields();
  checker.check_dates();
  for (const std::string& data : demand.classes)
    if (!class_named(data))
      checker.own("classes", Outcome::kFail, "there is no class \"" + data + "\"");
  if (instrument == nullptr) {
    checker.own("instrument", Outcome::kFail,
                "no file of jurisdictions knows the instrument \"" + demand.instrument + "\"");
    checker.check_target();
  } else {
    document.law = instrument->law;
    check_instrument(checker, *instrument, demand, content);
    checker.check_requester(content);
  }
  document.findings = checker.take();
  document.passes = std::ranges::none_of(document.findings, [](const Finding& one) {
    return one.outcome == Outcome::kFail || one.outcome == Outcome::kUnclear;
  });
  if (document.findings.size() > kMaxFindings) document.findings.resize(kMaxFindings);
  out.verdict = verdict_of(document, instrument);
  return out;
}

}  // namespace holdfast::lawful
