#include "vault/help.h"

#include <chrono>
#include <thread>

#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

constexpr std::chrono::seconds kLook{60};

// "1a2b3-c4d5e-...": read out in groups.
std::string spoken(const std::string& code) {
  std::string out;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (i > 0 && i % 5 == 0) out += '-';
    out += code[i];
  }
  return out;
}

void tell_asked(const std::string& code, const std::string& account, Console& console) {
  console.event(JsonObject("help_requested").text("code", code).text("account", account));
  console.print("The code: " + console.strong(spoken(code)));
  console.say(
      "Call the service's operator, by another way than this program, and read the code out. Two "
      "people there will ask who you are. If both believe you, every device of the account is told "
      "and can cancel it for three days; then this device can read what the provider could read, "
      "for seven days, and nothing more. If the account is at the advanced level, nobody can help: "
      "use the recovery key.");
}

// The one that asks already, or a new one.
Result<std::unique_ptr<Fresh>> open_asker(const Common& common, const HelpRequestArgs& args,
                                          Console& console) {
  auto asking = TRY(open_asking(common, console));
  if (asking) {
    tell_asked(TRY(vault::asked_for_help(asking->home)), asking->home.setting("account"), console);
    return asking;
  }
  auto fresh = TRY(open_fresh(common, store::Create::kNo, "", console));
  const std::string account = args.account.empty() ? default_account() : args.account;
  const std::string name = args.device_name.empty() ? default_device_name() : args.device_name;
  const std::string code =
      TRY(vault::ask_for_help(fresh->home, *fresh->store, fresh->clock, account, name));
  tell_asked(code, account, console);
  return fresh;
}

}  // namespace

Result<int> run_help_request(const Common& common, const HelpRequestArgs& args, Console& console) {
  const auto asker = TRY(open_asker(common, args, console));
  console.flush();
  for (;;) {
    const bool given = TRY(vault::help_was_given(asker->home, *asker->store));
    if (given) {
      console.event(JsonObject("help_given"));
      console.say("Help was given: this device can read for seven days from then.");
      return kOk;
    }
    if (!args.wait) {
      console.event(JsonObject("help_waits"));
      console.say("Not yet. Run this again to see, or with --wait.");
      return kOk;
    }
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace holdfast::app
