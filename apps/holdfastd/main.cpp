// The command line of the service, and its configuration file: the same names.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "control.h"
#include "crypto/key.h"
#include "grant.h"
#include "json.h"
#include "lawful.h"
#include "maintain.h"
#include "net/listen.h"
#include "operate.h"
#include "policy.h"
#include "serve.h"

namespace holdfast::daemon {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

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
  if (options.json) {
    std::fputs(answer->c_str(), stdout);
  } else {
    words(Json::parse(*answer, nullptr, false));
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
  bool set_aside = false;
  bool remove_orphans = false;
  OperatorOptions operators;
  PolicyOptions policy;
  HelpOptions help;
  LawfulOptions lawful;
};

void add_options(Line& line) {
  CLI::App& app = line.app;
  Options& o = line.options;
  app.set_version_flag("--version", "holdfastd " HOLDFAST_VERSION);
  app.set_config("--config", "", "Read these options from a TOML file");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--data", o.data, "Where everything is kept");
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
  app.add_option("--signups-per-address", o.signups_per_address, "A day, where sign-up is open")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--log-requests", o.log_requests,
               "Log every request, not only those that failed here");
  app.add_flag("--log", o.log, "Keep a public log; once begun, it is always kept");
  app.add_option("--log-policy", o.log_policy,
                 "FILE with witnesses and auditors of the public log");
  app.add_option("--log-name", o.log_name, "Of the public log; made from its key if none");
  app.add_option("--policy-key", o.policy_key,
                 "Public key of the policies that new accounts trust: HEX, or a FILE with it");
  app.add_option("--log-seconds", o.log_seconds, "How often changes go into the public log")
      ->check(CLI::Range(1, 300))
      ->capture_default_str();
  CLI::Option* const custodian = app.add_option(
      "--custodian", o.custodian, "https://HOST:PORT of the custodian; needs the public log");
  CLI::Option* const fingerprint =
      app.add_option("--custodian-fingerprint", o.custodian_fingerprint,
                     "SHA-256 of its TLS key, as it prints it");
  custodian->needs(fingerprint);
  fingerprint->needs(custodian);
  app.add_option("--release-hours", o.release_hours,
                 "From one of the custodian's release batches to the next")
      ->check(CLI::Range(0.0001, 168.0))
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
  check->add_flag("--set-aside", line.set_aside,
                  "Move damaged packs to DATA/damaged, so that devices send them again");
  check->add_flag("--remove-orphans", line.remove_orphans, "Remove files that a crash left");
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
  line.app.add_subcommand("config", "The options as they are, as the file would say them");
}

void add_operator_acts(Line& line) {
  OperatorOptions& o = line.operators;
  CLI::App* const all = line.app.add_subcommand("operator", "Who may operate the service");
  all->require_subcommand(1);
  CLI::App* const key = all->add_subcommand("key", "Show an operator's public key, or make a key");
  key->add_option("FILE", o.file, "The private key; give it to nobody")->required();
  key->add_flag("--new", o.make, "Make a key; FILE must not exist");
  CLI::App* const add = all->add_subcommand("add", "Add an operator; the first adds itself");
  add->add_option("NAME", o.name, "Of the new operator")->required();
  CLI::Option* const file = add->add_option("--key-file", o.key_file, "The new operator's key");
  add->add_option("--public-key", o.public_key, "The same in hexadecimal, as `key` shows it")
      ->excludes(file);
  CLI::App* const revoke = all->add_subcommand("revoke", "An operator is none any more");
  revoke->add_option("NAME", o.name, "Of the operator")->required();
  for (CLI::App* const act : {add, revoke})
    act->add_option("--as", o.acting, "File of the key of the operator who acts")->required();
  CLI::App* const list = all->add_subcommand("list", "Verify the trail and list the operators");
  list->add_flag("--trail", o.trail, "List every act instead");
}

void add_policy_acts(Line& line) {
  PolicyOptions& o = line.policy;
  CLI::App* const all =
      line.app.add_subcommand("policy", "What the service offers in each region, from when on");
  all->require_subcommand(1);
  CLI::App* const key = all->add_subcommand(
      "key", "Show the public key of policies, or make a key; without a service");
  key->add_option("FILE", o.file, "The private key; keep it offline")->required();
  key->add_flag("--new", o.make, "Make a key; FILE must not exist");
  CLI::App* const check =
      all->add_subcommand("check", "Say what a policy means; without a service");
  CLI::App* const sign = all->add_subcommand("sign", "Sign a policy; without a service");
  for (CLI::App* const act : {check, sign})
    act->add_option("FILE", o.file, "The policy, in TOML")->required();
  sign->add_option("--key", o.key, "File of the private key")->required();
  sign->add_option("--out", o.out, "Where the signed policy goes; must not exist")->required();
  sign->add_option("--after", o.after, "The signed policy that it follows; none: the first");
  CLI::App* const publish =
      all->add_subcommand("publish", "Put a policy into the log of the service that runs");
  publish->add_option("FILE", o.file, "A signed policy, or with --key one in TOML")->required();
  publish->add_option("--key", o.key, "File of the private key: signs it first");
  all->add_subcommand("show", "The policy in effect, and those to come");
}

void add_help_acts(Line& line) {
  CLI::App* const all =
      line.app.add_subcommand("help", "Owners who lost every device and ask for help");
  all->require_subcommand(1);
  all->add_subcommand("list", "Who asks, and how far it is");
  CLI::App* const grant = all->add_subcommand("grant", "Your word that it is the owner who asks");
  CLI::App* const refuse = all->add_subcommand("refuse", "The request is gone");
  for (CLI::App* const act : {grant, refuse}) {
    act->add_option("CODE", line.help.code, "The twenty digits that the owner reads to you")
        ->required();
    act->add_option("--as", line.help.acting, "File of the key of the operator who acts")
        ->required();
  }
}

void add_lawful_steps(CLI::App& all, LawfulOptions& o) {
  const auto step = [&](const char* name, const char* what) {
    CLI::App* const act = all.add_subcommand(name, what);
    act->add_option("N", o.matter, "The matter")->required();
    act->add_option("--as", o.acting, "File of the key of the operator who acts")->required();
    return act;
  };
  CLI::App* const check = step("check", "What the law says of it, and what could be produced");
  check->add_option("--discloser", o.discloser,
                    "File with the public key of the machine that opens content");
  CLI::App* const challenge = step("challenge", "Ask it back, or contest it");
  step("approve", "One of two approvals, by operators who did not receive it")
      ->add_option("--discloser", o.discloser,
                   "File with the public key of the machine that may open content, as you have it");
  CLI::App* const refuse = step("refuse", "Nothing is given");
  CLI::App* const produce = step("produce", "What it reaches, into a folder; repeat to go on");
  produce->add_option("--out", o.out, "The folder")->required();
  step("preserve", "Keep ciphertext and metadata as of now");
  CLI::App* const stage = step("stage", "A capability notice comes to its next stage");
  stage->add_option("STAGE", o.stage, "As its jurisdiction names it")->required();
  stage->add_option("--because", o.because, "A note");
  CLI::App* const close = step("close", "It is over");
  for (CLI::App* const act : {challenge, refuse, close})
    act->add_option("--because", o.because, "Why, in a sentence")->required();
}

void add_lawful_acts(Line& line) {
  LawfulOptions& o = line.lawful;
  CLI::App* const all =
      line.app.add_subcommand("lawful", "Demands for data: from the first letter to the report");
  all->require_subcommand(1);
  CLI::App* const receive = all->add_subcommand("receive", "Begin a matter with a demand");
  receive->add_option("FILE", o.file, "The demand, in TOML")->required();
  receive->add_option("--as", o.acting, "File of the key of the operator who acts")->required();
  add_lawful_steps(*all, o);
  all->add_subcommand("list", "All matters");
  all->add_subcommand("deadlines", "What is due, and what ends");
  all->add_subcommand("verify", "That no entry was edited, removed or reordered");
  CLI::App* const report =
      line.app.add_subcommand("report", "The half-yearly report to the public");
  report->add_option("--period", o.period, "2026H2")->required();
  report->add_option("--out", o.out, "The folder")->required();
  report->add_option("--as", o.acting, "File of the key of the operator who signs it")->required();
  for (CLI::App* const command : {all, report})
    command->add_option("--jurisdictions", o.jurisdictions, "Folder with their files")
        ->capture_default_str();
}

// The file holds what the flags before a command's name do; a command's own are not for it.
void keep_out_of_file(CLI::App& command) {
  for (CLI::Option* const option : command.get_options()) option->configurable(false);
  for (CLI::App* const part : command.get_subcommands({})) keep_out_of_file(*part);
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
  server::CheckOptions wanted;
  wanted.percent = *percent;
  if (line.set_aside) wanted.damaged = server::Damaged::kSetAside;
  if (line.remove_orphans) wanted.orphans = server::Orphans::kRemove;
  return told(line.options, check(line.options, wanted));
}

int run_account(const Line& line) {
  if (line.app.get_subcommand("account")->got_subcommand("quota")) return run_quota(line);
  return report(line.options, ask(line.options.data, "{\"act\":\"accounts\"}\n"),
                [](const Json& json) {
                  for (const Json& row : json.at("accounts")) print_account(row);
                });
}

int done(const Options& options, const Result<void>& result) {
  return result.ok() ? kOk : failure(options, result.error());
}

int run_operator(const Line& line) {
  const CLI::App& acts = *line.app.get_subcommand("operator");
  const auto act = acts.got_subcommand("key")      ? show_key
                   : acts.got_subcommand("add")    ? add_operator
                   : acts.got_subcommand("revoke") ? revoke_operator
                                                   : list_operators;
  return done(line.options, act(line.options, line.operators));
}

int run_policy(const Line& line) {
  const CLI::App& acts = *line.app.get_subcommand("policy");
  const auto act = acts.got_subcommand("key")       ? policy_key
                   : acts.got_subcommand("check")   ? policy_check
                   : acts.got_subcommand("sign")    ? policy_sign
                   : acts.got_subcommand("publish") ? policy_publish
                                                    : policy_show;
  return done(line.options, act(line.options, line.policy));
}

int run_help(const Line& line) {
  const CLI::App& acts = *line.app.get_subcommand("help");
  if (acts.got_subcommand("list")) return done(line.options, list_help(line.options));
  return done(line.options, acts.got_subcommand("grant") ? grant_help(line.options, line.help)
                                                         : refuse_help(line.options, line.help));
}

int run_lawful(const Line& line) {
  const CLI::App& acts = *line.app.get_subcommand("lawful");
  using Act = Result<void> (*)(const Options&, const LawfulOptions&);
  const std::pair<const char*, Act> all[] = {
      {"receive", lawful_receive},     {"check", lawful_check},   {"challenge", lawful_challenge},
      {"approve", lawful_approve},     {"refuse", lawful_refuse}, {"produce", lawful_produce},
      {"preserve", lawful_preserve},   {"stage", lawful_stage},   {"close", lawful_close},
      {"deadlines", lawful_deadlines}, {"verify", lawful_verify}, {"list", lawful_list}};
  for (const auto& [name, act] : all)
    if (acts.got_subcommand(name)) return done(line.options, act(line.options, line.lawful));
  return kUsage;
}

// What parse() cannot see is wrong.
Result<void> check_options(const Options& options) {
  TRY(parse_size(options.quota));
  TRY(net::parse_listen(options.listen));
  if (!options.metrics_listen.empty()) TRY(net::parse_listen(options.metrics_listen));
  return Ok{};
}

int run_config(const Line& line) {
  const auto good = check_options(line.options);
  if (!good.ok()) return failure(line.options, good.error());
  std::fputs(line.app.config_to_str(true).c_str(), stdout);
  return kOk;
}

// Keys are made and shown without a service, and policies signed.
bool needs_data(const CLI::App& app) {
  if (app.got_subcommand("config")) return false;
  if (app.got_subcommand("operator")) return !app.get_subcommand("operator")->got_subcommand("key");
  if (!app.got_subcommand("policy")) return true;
  const CLI::App& policy = *app.get_subcommand("policy");
  return policy.got_subcommand("publish") || policy.got_subcommand("show");
}

void parse(Line& line, int argc, char** argv) {
  add_options(line);
  add_acts(line);
  add_operator_acts(line);
  add_policy_acts(line);
  add_help_acts(line);
  add_lawful_acts(line);
  for (CLI::App* const command : line.app.get_subcommands({})) keep_out_of_file(*command);
  line.app.parse(argc, argv);
  if (line.options.data.empty() && needs_data(line.app)) throw CLI::RequiredError("--data");
}

// CLI11 calls every line that it cannot use unreadable INI.
int bad_file(const CLI::ConfigError& error) {
  const std::string_view what = error.what();
  constexpr std::string_view kUnread = "INI was not able to parse ";
  const std::string why = what.starts_with(kUnread)
                              ? "\"" + std::string(what.substr(kUnread.size())) +
                                    "\" is no option; `holdfastd config` shows those there are"
                              : std::string(what);
  std::fprintf(stderr, "holdfastd: in the configuration file: %s\n", why.c_str());
  return kUsage;
}

int run(int argc, char** argv) {
  Line line;
  try {
    parse(line, argc, argv);
  } catch (const CLI::ConfigError& error) {
    return bad_file(error);
  } catch (const CLI::ParseError& error) {
    const int code = line.app.exit(error);
    return code == 0 ? kOk : kUsage;
  }
  const Options& options = line.options;
  if (line.app.got_subcommand("serve")) return done(options, serve(options));
  if (line.app.got_subcommand("check")) return run_check(line);
  if (line.app.got_subcommand("backup")) return told(options, backup(options, line.folder));
  if (line.app.got_subcommand("restore")) return told(options, restore(options, line.folder));
  if (line.app.got_subcommand("invite")) return run_invite(line);
  if (line.app.got_subcommand("operator")) return run_operator(line);
  if (line.app.got_subcommand("policy")) return run_policy(line);
  if (line.app.got_subcommand("help")) return run_help(line);
  if (line.app.got_subcommand("lawful")) return run_lawful(line);
  if (line.app.got_subcommand("report")) return done(options, publish_report(options, line.lawful));
  if (line.app.got_subcommand("config")) return run_config(line);
  return run_account(line);
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
