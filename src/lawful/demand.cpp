#include "lawful/demand.h"

#include <ctime>

#include "crypto/hash.h"
#include "lawful/toml_text.h"

namespace holdfast::lawful {
namespace {

constexpr std::size_t kMaxReference = 200;

Result<Target> read_target(const toml::table& file) {
  Target target;
  const toml::node* const node = file.get("target");
  if (node == nullptr) return target;
  const toml::table* const table = node->as_table();
  if (table == nullptr) return text::wrong(*node, "[target] is a table");
  TRY(text::require_names(*table,
                          {"account", "everyone", "region", "person", "vaults", "devices"}));
  target.account = TRY(text::text_in(*table, "account"));
  target.everyone = TRY(text::flag_in(*table, "everyone", false));
  target.region = TRY(text::text_in(*table, "region"));
  if (table->contains("person")) target.person = TRY(text::text_in(*table, "person"));
  if (target.person != "unknown" && target.person != "us-person" &&
      target.person != "non-us-person")
    return text::wrong(*table->get("person"),
                       "\"us-person\", \"non-us-person\" or \"unknown\" is needed");
  target.vaults = TRY(text::texts_in(*table, "vaults"));
  target.devices = TRY(text::texts_in(*table, "devices"));
  return target;
}

Result<void> read_gag(const toml::table& file, Demand& demand) {
  const std::string gag = TRY(text::text_in(file, "gag"));
  if (!gag.empty() && gag != "indefinite")
    return text::wrong(*file.get("gag"), "\"indefinite\" is needed, or gag_until = DATE");
  demand.gag_indefinite = !gag.empty();
  demand.gag_until_ms = TRY(text::time_in(file, "gag_until"));
  return Ok{};
}

Result<void> read_times(const toml::table& file, Demand& demand) {
  demand.issued_ms = TRY(text::time_in(file, "issued"));
  demand.expires_ms = TRY(text::time_in(file, "expires"));
  demand.from_ms = TRY(text::time_in(file, "from"));
  demand.until_ms = TRY(text::time_in(file, "until"));
  return read_gag(file, demand);
}

}  // namespace

Result<Demand> read_demand(BytesView bytes) {
  if (bytes.size() > kMaxDemand)
    return Error{Code::kInvalid, "a demand takes 16 KiB at most; attach nothing to it"};
  const toml::table file = TRY(text::parse(bytes));
  TRY(text::require_names(
      file, {"instrument", "reference", "issuer", "role", "contact", "issued", "expires", "attests",
             "classes", "from", "until", "gag", "gag_until", "about", "requester_key", "target"}));
  Demand demand;
  demand.digest = crypto::sha256(bytes);
  demand.instrument = TRY(text::text_in(file, "instrument"));
  demand.reference = TRY(text::text_in(file, "reference"));
  demand.issuer = TRY(text::text_in(file, "issuer"));
  demand.role = TRY(text::text_in(file, "role"));
  demand.contact = TRY(text::text_in(file, "contact"));
  demand.attests = TRY(text::texts_in(file, "attests"));
  demand.classes = TRY(text::texts_in(file, "classes"));
  demand.about = TRY(text::text_in(file, "about"));
  demand.target = TRY(read_target(file));
  TRY(read_times(file, demand));
  demand.requester_key = TRY(text::text_in(file, "requester_key"));
  if (demand.reference.empty() || demand.reference.size() > kMaxReference)
    return Error{
        Code::kInvalid,
        "the demand needs its issuer's reference: without one, two could not be told apart"};
  return demand;
}

std::string day_of(TimeMs at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  char text[32] = "";
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%d", &parts) == 0)
    return "no day";
  return text;
}

}  // namespace holdfast::lawful
