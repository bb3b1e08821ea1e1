// A folder with what a matter reaches and nothing else, under a signed manifest; and the report.
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "crypto/hash.h"
#include "lawful.h"
#include "lawful/report.h"

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifestLabel = "holdfast/v1/lawful/manifest";
constexpr std::string_view kReportLabel = "holdfast/v1/lawful/report";

std::string whole_path(const std::string& path) {
  std::error_code failed;
  const fs::path full = fs::absolute(path, failed);
  return failed ? path : full.lexically_normal().string();
}

std::string pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// FILE.sig: who signed, and the signature over label and file; docs/formats/lawful.md.
Result<void> put_signed(const std::string& path, const std::string& text, std::string_view label,
                        const crypto::SigningKey& acting) {
  TRY(replace_file(path, as_bytes(text)));
  const crypto::Signature signature = acting.sign(label, as_bytes(text));
  const std::string line = to_hex(acting.verify_key().bytes) + " " + to_hex(signature) + "\n";
  return replace_file(path + ".sig", as_bytes(line));
}

bool content_of(const lawful::Matter& matter, bool given) {
  return std::ranges::any_of(matter.checked->items, [&](const lawful::Item& one) {
    return one.data == lawful::DataClass::kContent && one.reached && one.held &&
           one.given() == given;
  });
}

// Content, as far as the custodian has come. kUnavailable: not yet; the same command goes on.
Result<void> gather_content(const Options& options, const lawful::Matter& matter,
                            const std::string& folder) {
  const Json turn = TRY(ask_json(
      options, {{"act", "lawful_disclose"}, {"matter", matter.n}, {"folder", folder + "/case"}}));
  if (turn.value("whole", false)) return Ok{};
  return Error{Code::kUnavailable, "the case is not whole yet: " + turn.value("waits_for", "") +
                                       "; run the same command again"};
}

// What an outsider verifies. An account at the standard level has vaults that are always end-to-end
// encrypted beside others: for them the signed vault list in the case says so.
Result<bool> state_no_key(const Options& options, const lawful::Matter& matter,
                          const std::string& folder) {
  const auto stated = ask_json(
      options, {{"act", "lawful_no_key"}, {"matter", matter.n}, {"folder", folder + "/no-key"}});
  if (stated.ok()) return true;
  if (stated.error().code == Code::kDenied) return false;
  return stated.error();
}

struct Produced {
  Json files = Json::array();
  std::uint64_t items = 0;
};

Result<Produced> write_items(const Options& options, const lawful::Matter& matter,
                             const std::string& folder) {
  const Json answer = TRY(ask_json(options, {{"act", "lawful_data"}, {"matter", matter.n}}));
  Produced out;
  if (!answer.contains("items")) return out;
  for (const auto& [name, item] : answer.at("items").items()) {
    const std::string text = pretty(item);
    TRY(replace_file(folder + "/" + name + ".json", as_bytes(text)));
    out.files.push_back({{"file", name + ".json"},
                         {"bytes", text.size()},
                         {"sha256", crypto::sha256(as_bytes(text)).hex()}});
    ++out.items;
  }
  return out;
}

Json manifest_of(const Desk& desk, const lawful::Matter& matter, Produced produced, bool content,
                 bool no_key, TimeMs now) {
  Json given = Json::array();
  Json withheld = Json::array();
  for (const lawful::Item& item : matter.checked->items)
    (item.given() ? given : withheld)
        .push_back(
            {{"item", item.name}, {"class", std::string(name_of(item.data))}, {"why", item.why}});
  return Json{{"format", "holdfast/v1/lawful-manifest"},
              {"matter", matter.n},
              {"reference", matter.demand.reference},
              {"demand_sha256", matter.demand.digest.hex()},
              {"account", matter.demand.target.account},
              {"made", lawful::day_of(now)},
              {"approved_by", matter.names},
              {"trail_head", desk.trail.head().hex()},
              {"produced", std::move(given)},
              {"withheld", std::move(withheld)},
              {"content_in", content ? "case/, for holdfast-disclose on a machine apart" : ""},
              {"no_key_in", no_key ? "no-key/, for anybody to verify" : ""},
              {"files", std::move(produced.files)}};
}

Result<std::vector<lawful::Levels>> ask_levels(const Options& options) {
  const Json answer = TRY(ask_json(options, {{"act", "lawful_levels"}}));
  std::vector<lawful::Levels> out;
  if (!answer.contains("levels")) return out;
  for (const Json& one : answer.at("levels"))
    out.push_back({one.value("region", ""), one.value("standard", std::uint64_t{0}),
                   one.value("advanced", std::uint64_t{0})});
  return out;
}

}  // namespace

Result<void> lawful_produce(const Options& options, const LawfulOptions& given) {
  Desk desk = TRY(open_desk(options, given));
  const lawful::Matter matter = TRY(desk.trail.matter(given.matter));
  const crypto::SigningKey acting = TRY(server::read_operator_key(given.acting));
  // Whether anything may be produced at all, before a file is written.
  lawful::ProducedDocument document;
  TRY(desk.trail.sign(lawful::Step::kProduce, matter.n, wire::encode(document), acting,
                      SystemClock().now()));
  TRY(check_still(options, desk, matter));
  const std::string folder = whole_path(given.out);
  TRY(make_dirs(folder));
  document.content = content_of(matter, true);
  if (document.content) TRY(gather_content(options, matter, folder));
  const bool no_key = content_of(matter, false) && TRY(state_no_key(options, matter, folder));
  Produced produced = TRY(write_items(options, matter, folder));
  document.items = produced.items;
  const TimeMs now = SystemClock().now();
  const std::string text =
      pretty(manifest_of(desk, matter, std::move(produced), document.content, no_key, now));
  TRY(put_signed(folder + "/manifest.json", text, kManifestLabel, acting));
  document.manifest = crypto::sha256(as_bytes(text));
  TRY(take_step(options, given, desk, lawful::Step::kProduce, matter.n, wire::encode(document)));
  if (options.json) {
    print_line({{"event", "produced"},
                {"matter", matter.n},
                {"folder", folder},
                {"items", document.items},
                {"content", document.content},
                {"no_key", no_key},
                {"manifest", document.manifest.hex()}});
    return Ok{};
  }
  std::printf("Matter %llu: %llu items without content in %s\n",
              static_cast<unsigned long long>(matter.n),
              static_cast<unsigned long long>(document.items), folder.c_str());
  if (document.content)
    std::puts("The case for the machine that opens content is in case/: holdfast-disclose open");
  if (no_key) std::puts("No key exists: no-key/ shows it to anybody.");
  return Ok{};
}

Result<void> publish_report(const Options& options, const LawfulOptions& given) {
  const lawful::Period period = TRY(lawful::read_period(given.period));
  Desk desk = TRY(open_desk(options, given));
  const crypto::SigningKey acting = TRY(server::read_operator_key(given.acting));
  const auto levels = TRY(ask_levels(options));
  const auto report =
      lawful::make_report(period, desk.trail, desk.law, levels, SystemClock().now());
  const std::string folder = whole_path(given.out);
  TRY(make_dirs(folder));
  for (const lawful::ReportTable& table : report.tables)
    TRY(replace_file(folder + "/" + table.id + ".csv", as_bytes(csv_of(table)), 0644));
  TRY(replace_file(folder + "/index.html", as_bytes(html_of(report)), 0644));
  const std::string text = json_of(report);
  TRY(put_signed(folder + "/report.json", text, kReportLabel, acting));
  lawful::ReportDocument document;
  document.period = period.name;
  document.report = crypto::sha256(as_bytes(text));
  TRY(take_step(options, given, desk, lawful::Step::kReport, 0, wire::encode(document)));
  const Json told = TRY(ask_json(options, {{"act", "lawful_publish"}}));
  const bool logged = told.value("logged", false);
  if (options.json) {
    print_line({{"event", "report"},
                {"period", period.name},
                {"folder", folder},
                {"report", document.report.hex()},
                {"logged", logged}});
  } else {
    std::printf("The report of %s is in %s: index.html, CSV files, report.json.\n%s\n",
                period.label.c_str(), folder.c_str(),
                logged ? "Its hash goes into the public log with the next step."
                       : "There is no public log to put its hash into.");
  }
  return Ok{};
}

}  // namespace holdfast::daemon
