// The command line of the service, and its configuration file: the same names.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "control.h"
#include "crypto/key.h"
#include "maintain.h"
#include "serve.h"

namespace holdfast::daemon {
namespace {

using Json = nlohmann::json;

constexpr int kOk = 0;
constexpr int kFailed = 1;

int failure(const Options& options, const Error& error) {
  if (options.json) {
    const Json object{
        {"event", "error"}, {"code", code_name(error.code)}, {"error", error.message}};
    std::printf("%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  }
  std::fprintf(stderr, "holdfastd: %s\n", error.message.c_str());
  return kFailed;
}

// Prints the answer to an act: as it came with --json, else in words.
int report(const Options& options, const Result<std::string>& answer,
           const std::function<void(const Json&)>& words) {
  if (!answer.ok()) return failure(options, answer.error());
  const Json json = Json::parse(*answer, nullptr, false);
  if (!json.is_object() || !json.value("ok", false)) {
    const std::string why = json.is_object() ? json.value("error", "") : "it did not answer";
    return failure(options, {Code::kUnavailable, why});
  }
  if (options.json) {
    std::fputs(answer->c_str(), stdout);
  } else {
    words(json);
  }
  return kOk;
}

void print_account(const Json& row) {
  const std::string quota =
      row.contains("quota") ? std::to_string(row.at("quota").get<std::uint64_t>()) : "none";
  std::printf("%s  quota %s%s\n", row.value("account", "").c_str(), quota.c_str(),
              row.contains("deletion_ms") ? "  to be deleted" : "");
}

struct Line {
  CLI::App app{"Holdfast's service: keeps what devices send it, and can read none of it.",
               "holdfastd"};
  Options options;
  std::int64_t days = 7;
  std::string account;
  std::string size;
  std::string folder;
  std::string read_data;
};

void add_options(Line& line) {
  CLI::App& app = line.app;
  Options& o = line.options;
  app.set_version_flag("--version", "holdfastd " HOLDFAST_VERSION);
  app.set_config("--config", "", "Read these options from a TOML file");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--data", o.data, "Where everything is kept")->required();
  app.add_option("--listen", o.listen, "ADDRESS:PORT for devices")->capture_default_str();
  app.add_option("--metrics-listen", o.metrics_listen,
                 "ADDRESS:PORT for /metrics, /healthz and /readyz, without TLS; keep it private")
      ->capture_default_str();
  app.add_option("--signup", o.signup, "Who may make an account")
      ->check(CLI::IsMember({"open", "invite", "closed"}))
      ->capture_default_str();
  CLI::Option* const certificate = app.add_option("--tls-certificate", o.tls_certificate,
                                                  "PEM; made on the first start if none");
  CLI::Option* const key = app.add_option("--tls-key", o.tls_key, "PEM; devices pin this key");
  certificate->needs(key);
  key->needs(certificate);
  app.add_option("--quota", o.quota, "Of new accounts: 500G, or none");
  app.add_option("--connection-log-days", o.connection_log_days, "How long it is kept")
      ->capture_default_str();
  app.add_option("--grace-days", o.grace_days, "How long dropped packs are kept")
      ->capture_default_str();
  app.add_option("--deletion-days", o.deletion_days, "From asking for an account's end to it")
      ->capture_default_str();
  app.add_option("--max-connections", o.max_connections, "Of all devices together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--connections-per-address", o.connections_per_address,
                 "Many devices behind one router share its address")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--requests-per-address", o.requests_per_address, "A second, sustained")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--json", o.json, "Print one JSON object a line");
}

void add_acts(Line& line) {
  line.app.add_subcommand("serve", "Serve devices until told to stop");
  CLI::App* const invite = line.app.add_subcommand("invite", "An invitation: makes one account");
  invite->add_option("--days", line.days, "How long it is good for")->capture_default_str();
  CLI::App* const check = line.app.add_subcommand("check", "Is everything there and whole");
  check->add_option("--read-data", line.read_data, "Read all packs, or a share: --read-data=5%")
      ->expected(0, 1)
      ->default_str("100%");
  CLI::App* const backup =
      line.app.add_subcommand("backup", "A consistent copy, also while the service runs");
  backup->add_option("TARGET", line.folder, "An empty folder, or an earlier backup")->required();
  CLI::App* const restore = line.app.add_subcommand("restore", "Back from a backup");
  restore->add_option("BACKUP", line.folder, "What backup made")->required();
  CLI::App* const account = line.app.add_subcommand("account", "List accounts, set quotas");
  account->require_subcommand(1);
  account->add_subcommand("list", "All accounts");
  CLI::App* const quota = account->add_subcommand("quota", "How much an account may store");
  quota->add_option("NAME", line.account, "The account")->required();
  quota->add_option("SIZE", line.size, "500G, or none")->required();
}

int run_invite(const Line& line) {
  const std::string request = Json{{"act", "invite"}, {"days", line.days}}.dump() + "\n";
  return report(line.options, ask(line.options.data, request), [](const Json& json) {
    std::printf("%s\n", json.value("invitation", "").c_str());
  });
}

int run_quota(const Line& line) {
  const auto size = parse_size(line.size);
  if (!size.ok()) return failure(line.options, size.error());
  Json request{{"act", "quota"}, {"account", line.account}};
  if (*size) request["quota"] = **size;
  const std::string text = request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return report(line.options, ask(line.options.data, text),
                [](const Json&) { std::puts("The quota is set."); });
}

int told(const Options& options, const Result<bool>& whole) {
  if (!whole.ok()) return failure(options, whole.error());
  return *whole ? kOk : kFailed;
}

// "5%" or "5", above 0 and at most 100; without the option nothing is read.
Result<double> share(const CLI::App& check, std::string text) {
  if (check.count("--read-data") == 0) return 0.0;
  if (text.empty()) return 100.0;
  if (text.ends_with('%')) text.pop_back();
  double value = 0;
  if (!CLI::detail::lexical_cast(text, value) || !(value > 0) || value > 100)
    return Error{Code::kInvalid, "--read-data takes a share up to 100%, as in --read-data=5%"};
  return value;
}

int run_check(const Line& line) {
  const auto percent = share(*line.app.get_subcommand("check"), line.read_data);
  if (!percent.ok()) return failure(line.options, percent.error());
  return told(line.options, check(line.options, *percent));
}

int run(int argc, char** argv) {
  Line line;
  add_options(line);
  add_acts(line);
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = line.app.exit(error);
    return code == 0 ? 0 : 2;
  }
  if (line.app.got_subcommand("serve")) {
    const auto served = serve(line.options);
    return served.ok() ? kOk : failure(line.options, served.error());
  }
  if (line.app.got_subcommand("check")) return run_check(line);
  if (line.app.got_subcommand("backup"))
    return told(line.options, backup(line.options, line.folder));
  if (line.app.got_subcommand("restore"))
    return told(line.options, restore(line.options, line.folder));
  if (line.app.got_subcommand("invite")) return run_invite(line);
  if (line.app.get_subcommand("account")->got_subcommand("quota")) return run_quota(line);
  return report(line.options, ask(line.options.data, "{\"act\":\"accounts\"}\n"),
                [](const Json& json) {
                  for (const Json& row : json.at("accounts")) print_account(row);
                });
}

}  // namespace
}  // namespace holdfast::daemon

int main(int argc, char** argv) {
  holdfast::crypto::protect_process();
  try {
    return holdfast::daemon::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "holdfastd: internal error: %s\n", e.what());
    return 1;
  }
}
