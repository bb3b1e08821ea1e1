#include "lawful/law.h"

#include <array>

#include "crypto/hash.h"
#include "lawful/toml_text.h"

namespace holdfast::lawful {
namespace {

constexpr std::int64_t kMaxDays = 36'500;
constexpr std::size_t kMaxInstruments = 64;
constexpr std::size_t kMaxRules = 40;

// What a rule of each kind must have; it may have nothing else.
struct Shape {
  RuleKind kind;
  std::string_view name;
  bool values;
  bool days;
  bool hours;
  bool may_days = false;
};
constexpr std::array kShapes{
    Shape{RuleKind::kIssuer, "issuer", true, false, false},
    Shape{RuleKind::kAttests, "attests", true, false, false},
    Shape{RuleKind::kReaches, "reaches", true, false, false},
    Shape{RuleKind::kPersonNot, "person-not", true, false, false},
    Shape{RuleKind::kPlaceNot, "place-not", true, false, false},
    Shape{RuleKind::kPlaceOnly, "place-only", true, false, false},
    Shape{RuleKind::kValidFor, "valid-for", false, true, false},
    Shape{RuleKind::kAnswerWithin, "answer-within", false, false, true},
    Shape{RuleKind::kPreserveFor, "preserve-for", false, true, false},
    Shape{RuleKind::kGag, "gag", false, false, false, true},
    Shape{RuleKind::kReviewWithin, "review-within", true, true, false},
    Shape{RuleKind::kExpiresAfter, "expires-after", true, true, false},
    Shape{RuleKind::kStages, "stages", true, false, false},
    Shape{RuleKind::kNote, "note", false, false, false},
};

struct KindName {
  Kind kind;
  std::string_view name;
};
constexpr std::array kKinds{
    KindName{Kind::kCapability, "capability"},   KindName{Kind::kProduction, "production"},
    KindName{Kind::kEmergency, "emergency"},     KindName{Kind::kPreservation, "preservation"},
    KindName{Kind::kRestriction, "restriction"}, KindName{Kind::kSecrecy, "secrecy"},
};

struct TableName {
  Table table;
  std::string_view name;
};
constexpr std::array kTables{
    TableName{Table::kAccount, "account"},
    TableName{Table::kPreservation, "preservation"},
    TableName{Table::kRestriction, "restriction"},
    TableName{Table::kEmergency, "emergency"},
    TableName{Table::kNationalSecurity, "national-security"},
};

bool good_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool good_region(std::string_view region) {
  return region.size() == 2 &&
         std::ranges::all_of(region, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool good_value(RuleKind kind, std::string_view value) {
  if (kind == RuleKind::kReaches) return class_named(value).has_value();
  if (kind == RuleKind::kPersonNot) return value == "us-person" || value == "non-us-person";
  if (kind == RuleKind::kPlaceNot || kind == RuleKind::kPlaceOnly) return good_region(value);
  return good_id(value);
}

Result<void> check_shape(const toml::table& at, const Shape& shape, const Rule& rule) {
  const std::string name = "a rule \"" + rule.name + "\" ";
  if (rule.statute.empty()) return text::wrong(at, name + "needs its statute");
  if (rule.text.empty()) return text::wrong(at, name + "needs a text that says it plainly");
  if (rule.values.empty() == shape.values)
    return text::wrong(at, name + (shape.values ? "needs values" : "has no values"));
  if ((rule.days > 0) != shape.days && !(shape.may_days && rule.days > 0))
    return text::wrong(at, name + (shape.days ? "needs days" : "has no days"));
  if ((rule.hours > 0) != shape.hours)
    return text::wrong(at, name + (shape.hours ? "needs hours" : "has no hours"));
  for (const std::string& value : rule.values)
    if (!good_value(shape.kind, value))
      return text::wrong(at, name + "has no value \"" + value + "\"");
  return Ok{};
}

Result<Rule> read_rule(const toml::node& node) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) return text::wrong(node, "[[instrument.rule]] is a table");
  TRY(text::require_names(*table, {"rule", "statute", "text", "values", "days", "hours"}));
  Rule rule;
  rule.name = TRY(text::text_in(*table, "rule"));
  rule.statute = TRY(text::text_in(*table, "statute"));
  rule.text = TRY(text::text_in(*table, "text"));
  rule.values = TRY(text::texts_in(*table, "values"));
  rule.days = TRY(text::number_in(*table, "days", kMaxDays));
  rule.hours = TRY(text::number_in(*table, "hours", kMaxDays * 24));
  const auto* const shape = std::ranges::find(kShapes, rule.name, &Shape::name);
  if (shape == kShapes.end())
    return text::wrong(*table, "there is no rule of the kind \"" + rule.name + "\"");
  rule.kind = shape->kind;
  TRY(check_shape(*table, *shape, rule));
  return rule;
}

// What an instrument of each kind cannot be without, and what it cannot have.
Result<void> check_instrument(const toml::table& at, const Instrument& one) {
  const auto wrong = [&](const std::string& what) {
    return text::wrong(at, "instrument \"" + one.id + "\" " + what);
  };
  if (one.rule(RuleKind::kIssuer) == nullptr) return wrong("needs a rule \"issuer\"");
  const bool produces = one.kind == Kind::kProduction || one.kind == Kind::kEmergency;
  if (produces != (one.rule(RuleKind::kReaches) != nullptr))
    return wrong(produces ? "needs a rule \"reaches\"" : "produces nothing, so it reaches nothing");
  if ((one.kind == Kind::kPreservation) != (one.rule(RuleKind::kPreserveFor) != nullptr))
    return wrong("needs \"preserve-for\" if it preserves, and only then");
  const Rule* const stages = one.rule(RuleKind::kStages);
  if ((one.kind == Kind::kCapability) != (stages != nullptr))
    return wrong("needs \"stages\" if it is for a capability, and only then");
  for (const Rule& rule : one.rules) {
    const bool of_stage =
        rule.kind == RuleKind::kReviewWithin || rule.kind == RuleKind::kExpiresAfter;
    if (of_stage && (stages == nullptr || rule.values.size() != 1 ||
                     std::ranges::find(stages->values, rule.values[0]) == stages->values.end()))
      return wrong("counts days from a stage that it does not have");
  }
  return Ok{};
}

Result<Instrument> read_instrument(const toml::node& node) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) return text::wrong(node, "[[instrument]] is a table");
  TRY(text::require_names(*table, {"id", "name", "kind", "table", "band", "in_force", "rule"}));
  Instrument one;
  one.id = TRY(text::text_in(*table, "id"));
  one.name = TRY(text::text_in(*table, "name"));
  if (!good_id(one.id) || one.name.empty())
    return text::wrong(*table, "an instrument needs an id, of a-z 0-9 -, and a name");
  const auto* const kind =
      std::ranges::find(kKinds, TRY(text::text_in(*table, "kind")), &KindName::name);
  if (kind == kKinds.end()) return text::wrong(*table, "there is no such kind of instrument");
  one.kind = kind->kind;
  const auto* const in =
      std::ranges::find(kTables, TRY(text::text_in(*table, "table")), &TableName::name);
  if (in == kTables.end()) return text::wrong(*table, "the report has no such table");
  one.table = in->table;
  one.band = static_cast<std::uint64_t>(TRY(text::number_in(*table, "band", 500)));
  if (one.band != 0 && one.band != 250 && one.band != 500)
    return text::wrong(*table, "bands are of 250 or of 500");
  one.in_force = TRY(text::flag_in(*table, "in_force", true));
  const toml::node* const rules = table->get("rule");
  const toml::array* const list = rules == nullptr ? nullptr : rules->as_array();
  if (list == nullptr || list->size() > kMaxRules)
    return text::wrong(*table, "[[instrument.rule]] is needed, at most 40 times");
  for (const toml::node& rule : *list) one.rules.push_back(TRY(read_rule(rule)));
  TRY(check_instrument(*table, one));
  return one;
}

}  // namespace

const Rule* Instrument::rule(RuleKind kind_wanted) const {
  const auto found = std::ranges::find(rules, kind_wanted, &Rule::kind);
  return found == rules.end() ? nullptr : &*found;
}

Result<std::vector<Instrument>> read_jurisdiction(BytesView bytes) {
  if (bytes.size() > kMaxLawFile) return Error{Code::kInvalid, "the file is too large"};
  const toml::table file = TRY(text::parse(bytes));
  TRY(text::require_names(file, {"country", "name", "instrument"}));
  const std::string country = TRY(text::text_in(file, "country"));
  const std::string name = TRY(text::text_in(file, "name"));
  if (country.empty() || country.size() > 16 || name.empty())
    return Error{Code::kInvalid, "a jurisdiction needs a country, as in \"GB\", and a name"};
  const toml::node* const node = file.get("instrument");
  const toml::array* const list = node == nullptr ? nullptr : node->as_array();
  if (list == nullptr || list->size() > kMaxInstruments)
    return Error{Code::kInvalid, "[[instrument]] is needed, at most 64 times"};
  std::vector<Instrument> out;
  for (const toml::node& one : *list) {
    out.push_back(TRY(read_instrument(one)));
    out.back().country = country;
    out.back().country_name = name;
    out.back().law = crypto::sha256(bytes);
  }
  return out;
}

Result<Law> Law::make(std::vector<std::vector<Instrument>> jurisdictions) {
  Law law;
  for (auto& one : jurisdictions)
    for (Instrument& instrument : one) {
      if (law.find(instrument.id) != nullptr)
        return Error{Code::kInvalid, "two instruments are named \"" + instrument.id + "\""};
      law.instruments_.push_back(std::move(instrument));
    }
  return law;
}

const Instrument* Law::find(std::string_view id) const {
  const auto found = std::ranges::find(instruments_, id, &Instrument::id);
  return found == instruments_.end() ? nullptr : &*found;
}

std::string_view name_of(Kind kind) {
  return std::ranges::find(kKinds, kind, &KindName::kind)->name;
}

std::string_view name_of(DataClass data) {
  switch (data) {
    case DataClass::kSubscriber: return "subscriber";
    case DataClass::kConnection: return "connection";
    case DataClass::kMetadata: return "metadata";
    case DataClass::kContent: return "content";
  }
  std::abort();
}

std::optional<DataClass> class_named(std::string_view name) {
  for (const DataClass data :
       {DataClass::kSubscriber, DataClass::kConnection, DataClass::kMetadata, DataClass::kContent})
    if (name_of(data) == name) return data;
  return std::nullopt;
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass: return "pass";
    case Outcome::kFail: return "fail";
    case Outcome::kUnclear: return "unclear";
    case Outcome::kWarn: return "warning";
    case Outcome::kNote: return "note";
  }
  std::abort();
}

std::string_view name_of(Step step) {
  switch (step) {
    case Step::kReceive: return "receive";
    case Step::kCheck: return "check";
    case Step::kChallenge: return "challenge";
    case Step::kApprove: return "approve";
    case Step::kRefuse: return "refuse";
    case Step::kProduce: return "produce";
    case Step::kPreserve: return "preserve";
    case Step::kStage: return "stage";
    case Step::kClose: return "close";
    case Step::kReport: return "report";
  }
  std::abort();
}

}  // namespace holdfast::lawful
