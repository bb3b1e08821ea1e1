// The command line of the machine that carries out disclosure orders, and of a requester. It talks
// to nobody: all that it reads and writes are files.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "crypto/key.h"
#include "manifest.h"
#include "opening.h"

namespace holdfast::disclose {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string folder;  // of a case
  std::string key;
  std::string out;
  std::string bundle;
  std::vector<std::string> operators;  // public keys
  bool json = false;
};

void say(const Options& options, const Json& object, const std::string& text) {
  if (options.json) {
    std::printf("%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::fputs(text.c_str(), stdout);
  }
}

Result<circle::OperatorKeys> operator_keys(const std::vector<std::string>& texts) {
  circle::OperatorKeys out;
  for (const std::string& text : texts) {
    const auto bytes = from_hex(text);
    crypto::VerifyKey key;
    if (!bytes || bytes->size() != key.bytes.size())
      return Error{
          Code::kInvalid,
          "--operator takes the 130 hexadecimal digits that `holdfastd operator key` shows"};
    std::ranges::copy(*bytes, key.bytes.begin());
    if (!crypto::is_point(key))
      return Error{Code::kInvalid, "an operator's key is none; it was copied wrong"};
    out.insert(key.bytes);
  }
  return out;
}

Result<void> keygen(const Options& options) {
  const OwnKey key = TRY(make_own_key(options.key));
  say(options, {{"event", "key"}, {"file", options.key}, {"public_key", lawful::spell(key.shown)}},
      "The key is in " + options.key + ", for one order: destroy it afterwards.\n" +
          "Its public half, for who writes the order, is in " + options.key + ".pub\n");
  return Ok{};
}

Result<void> open(const Options& options) {
  OpenInput input{options.folder, options.key, options.out, {}, SystemClock().now()};
  input.operators = TRY(operator_keys(options.operators));
  const OpenReport report = TRY(open_case(input));
  say(options,
      {{"event", "opened"},
       {"bundle", options.out},
       {"snapshots", report.snapshots},
       {"withheld", report.withheld},
       {"files", report.files},
       {"bytes", report.bytes},
       {"kept_bytes", report.kept}},
      "Opened " + std::to_string(report.snapshots) + " snapshots with " +
          std::to_string(report.files) + " files into " + options.out + "; " +
          std::to_string(report.withheld) +
          " snapshots of the ordered vaults are withheld. The manifest in it says which and "
          "why.\n" +
          "Destroy " + options.key + " now: it opens what was released, as long as it exists.\n");
  return Ok{};
}

Result<void> unseal_bundle(const Options& options) {
  const OwnKey own = TRY(read_own_key(options.key));
  TRY(make_dirs(options.out));
  const Unsealed got = TRY(unseal(options.bundle, own, options.out + "/files.tar"));
  TRY(replace_file(options.out + "/manifest.json", got.end.manifest));
  TRY(replace_file(options.out + "/manifest.sig", got.end.signature));
  TRY(replace_file(options.out + "/order", got.end.order));
  Json signers = Json::array();
  std::string text = "In " + options.out +
                     ": files.tar, manifest.json, its signature and the order.\n"
                     "  tar -xf files.tar && sha256sum -c SHA256SUMS\n"
                     "The order is signed with these operators' keys; the provider can say whose "
                     "they are:\n";
  for (const crypto::VerifyKey& key : got.signed_by) {
    signers.push_back(to_hex(key.bytes));
    text += "  " + to_hex(key.bytes) + "\n";
  }
  say(options,
      {{"event", "unsealed"},
       {"folder", options.out},
       {"instrument", got.order.instrument.hex()},
       {"signed_by_operators", std::move(signers)}},
      text);
  return Ok{};
}

// What is stated in a case without an order. Of one with an order, that its account is as it says.
Result<void> verify(const Options& options) {
  const ReadCase read = TRY(read_case(options.folder));
  const auto what = TRY(
      lawful::verify_no_key(read.state, {read.parts.receipts.begin(), read.parts.receipts.end()}));
  std::fputs(statement_of(read, what).c_str(), stdout);
  if (options.json) return Ok{};
  std::fputs(
      "It holds as far as that log and its witnesses are honest: compare their names and keys with "
      "those that the provider publishes. That no copy of a destroyed key was kept is the "
      "provider's "
      "word.\n",
      stderr);
  return Ok{};
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Opens what two operators ordered of an account, and nothing else.",
               "holdfast-disclose"};
  app.set_version_flag("--version", "holdfast-disclose " HOLDFAST_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", options.json, "Print one JSON object a line");
  std::function<Result<void>(const Options&)> act;

  auto* const make = app.add_subcommand("keygen", "Make a key, of this machine or of a requester");
  make->add_option("file", options.key, "Where the key goes")->required();
  make->callback([&] { act = keygen; });

  auto* const opening = app.add_subcommand("open", "Carry out the order of a case into a bundle");
  opening->add_option("case", options.folder, "The case's folder")->required();
  opening->add_option("--key", options.key, "This machine's key, which the order names")
      ->required();
  opening->add_option("--out", options.out, "The bundle")->required();
  opening
      ->add_option("--operator", options.operators,
                   "Public key of an operator, once for each; two of them must have signed")
      ->required();
  opening->callback([&] { act = open; });

  auto* const unsealing = app.add_subcommand("unseal", "Open a bundle that was made for you");
  unsealing->add_option("bundle", options.bundle, "The bundle")->required();
  unsealing->add_option("--key", options.key, "Your key, which the order names")->required();
  unsealing->add_option("--out", options.out, "A folder for what is in it")->required();
  unsealing->callback([&] { act = unseal_bundle; });

  auto* const verifying =
      app.add_subcommand("verify", "Check a statement that no key exists, without a network");
  verifying->add_option("folder", options.folder, "The statement's folder")->required();
  verifying->callback([&] { act = verify; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto done = act(options);
  if (done.ok()) return 0;
  std::fprintf(stderr, "holdfast-disclose: %s\n", done.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace holdfast::disclose

int main(int argc, char** argv) {
  holdfast::crypto::protect_process();
  try {
    return holdfast::disclose::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "holdfast-disclose: internal error: %s\n", e.what());
    return 1;
  }
}
