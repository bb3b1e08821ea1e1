// What the service's policies mean where the account is, and where that is.
#include <algorithm>

#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

constexpr std::uint64_t kDay_s = 24 * 60 * 60;

const circle::Terms kOffered;

const circle::Terms& terms_of(const std::optional<vault::PolicyHere::One>& one) {
  return one ? one->standing.terms : kOffered;
}

// "in 12 days"; a day that has come is none.
std::string countdown(std::uint64_t from_s, std::uint64_t to_s) {
  if (to_s <= from_s) return "that day has come";
  const std::uint64_t days = (to_s - from_s) / kDay_s;
  if (days == 0) return "in less than a day";
  return "in " + human_count(days, "day", "days");
}

void add_terms(JsonObject& to, const vault::PolicyHere& here, const vault::PolicyHere::One& one) {
  const circle::Terms& terms = one.standing.terms;
  to.text("region", here.region)
      .number("version", one.version)
      .number("from_seconds", one.from_s)
      .flag("may_enable", one.standing.may_enable)
      .flag("paused", one.standing.paused)
      .text("note", terms.note)
      .number("open_days", terms.open_days)
      .text("oldest_client", circle::format(terms.oldest_client));
  if (terms.leave_by_s) to.number("leave_by_seconds", *terms.leave_by_s);
}

void print_terms(const vault::PolicyHere& here, const circle::Terms& terms, Console& console) {
  console.print("  " + circle::describe(terms));
  if (terms.leave_by_s)
    console.print("  Until then: " + countdown(here.now_s, *terms.leave_by_s) + ".");
  if (terms.open_days > 0)
    console.print("  What the custodian gives out is opened to you after " +
                  human_count(terms.open_days, "day", "days") + ".");
  for (std::size_t at = 0; at < terms.note.size();) {
    const std::size_t end = std::min(terms.note.find('\n', at), terms.note.size());
    console.print("  | " + printable(terms.note.substr(at, end - at)));
    at = end + 1;
  }
}

void print_here(const vault::PolicyHere& here, Console& console) {
  if (here.now) {
    JsonObject object("policy_here");
    add_terms(object, here, *here.now);
    console.event(object);
    console.print("In region " + here.region + ", by version " + std::to_string(here.now->version) +
                  " of the service's policy, since " + circle::spell_time(here.now->from_s) + ":");
    print_terms(here, here.now->standing.terms, console);
  } else {
    console.print("In region " + here.region + " no policy of the service is in effect:");
    print_terms(here, kOffered, console);
  }
  if (!here.next) return;
  JsonObject object("policy_next");
  add_terms(object, here, *here.next);
  console.event(object);
  console.print("From " + circle::spell_time(here.next->from_s) + " on (" +
                countdown(here.now_s, here.next->from_s) + "), by version " +
                std::to_string(here.next->version) + ":");
  print_terms(here, here.next->standing.terms, console);
}

bool means_the_same(const vault::PolicyHere& a, const vault::PolicyHere& b) {
  const auto same = [](const circle::Terms& one, const circle::Terms& other) {
    return one.enable == other.enable && one.leave_by_s == other.leave_by_s;
  };
  return same(terms_of(a.now), terms_of(b.now)) && a.next.has_value() == b.next.has_value() &&
         same(terms_of(a.next), terms_of(b.next));
}

}  // namespace

void tell_policy(const vault::Account& account, Console& console) {
  const vault::PolicyHere here = account.policy_here();
  const circle::ClientVersion oldest = terms_of(here.now).oldest_client;
  if (const auto mine = circle::parse_version(HOLDFAST_VERSION); mine.ok() && *mine < oldest)
    console.warn("The service asks for holdfast " + circle::format(oldest) +
                 " or newer; this is " HOLDFAST_VERSION ". Update soon; nothing is refused yet.");
  if (!here.news()) return;
  JsonObject object("policy_news");
  object.text("region", here.region).number("version", here.newest);
  if (const auto day = here.leave_by_s()) object.number("leave_by_seconds", *day);
  console.event(object);
  console.warn("The service's policy, version " + std::to_string(here.newest) + ". " +
               here.sentence() +
               " All of it: holdfast policy. So that you are not told again: holdfast policy "
               "acknowledge");
}

Result<int> run_policy_show(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoPolicy));
  const vault::PolicyHere here = opened->account().policy_here();
  print_here(here, console);
  const bool mine = opened->account().circle().level() == circle::Level::kAdvanced;
  const std::string level(level_name(opened->account().circle().level()));
  console.print("This account is at the " + level + " level; only its own devices change that.");
  if (here.newest > 0)
    console.print(here.newest <= here.accepted
                      ? "A device of this account acknowledged it."
                      : "Nobody acknowledged it yet: holdfast policy acknowledge");
  console.event(JsonObject("policy_summary")
                    .text("region", here.region)
                    .text("level", level)
                    .flag("may_enable", here.may_enable())
                    .flag("paused", mine && here.paused())
                    .number("newest", here.newest)
                    .number("acknowledged", here.accepted));
  return kOk;
}

Result<int> run_policy_acknowledge(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoPolicy));
  print_here(opened->account().policy_here(), console);
  const std::uint64_t version = TRY(opened->account().acknowledge_policy());
  console.event(JsonObject("policy_acknowledged").number("version", version));
  console.say("Noted for all devices of this account: version " + std::to_string(version) +
              " of the service's policy was read. That agrees to nothing.");
  return kOk;
}

Result<int> run_region_show(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoPolicy));
  const std::string& region = opened->account().circle().region();
  console.event(JsonObject("region").text("region", region));
  console.print("The account's region is " + region +
                (region == "ZZ" ? ", not stated." : ", as its devices said."));
  print_here(opened->account().policy_here(), console);
  return kOk;
}

Result<int> run_region_set(const Common& common, const std::string& region, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoPolicy));
  vault::Account& account = opened->account();
  const vault::PolicyHere there = account.policy_in(region);
  if (!means_the_same(account.policy_here(), there)) {
    print_here(there, console);
    if (!TRY(console.confirm("That is what holds in " + printable(region) + " and not in " +
                             account.circle().region() + ". Go on"))) {
      console.warn("Nothing was changed.");
      return kFailed;
    }
  }
  TRY(account.set_region(region));
  console.event(JsonObject("region").text("region", region));
  console.say("The account's region is now " + printable(region) +
              ". Who can read it has not changed.");
  return kOk;
}

}  // namespace holdfast::app
