// The commands on lawful demands. Rules are computed in this program, which an operator runs, and
// each step is signed with the operator's key here; the service verifies and keeps it.
#pragma once

#include "json.h"
#include "lawful/check.h"
#include "lawful/trail.h"
#include "options.h"
#include "server/operators.h"

namespace holdfast::daemon {

struct LawfulOptions {
  std::string file;  // of the demand
  std::uint64_t matter = 0;
  std::string acting;  // file of the key of the operator who acts
  std::string because;
  std::string stage;
  std::string jurisdictions = "/usr/share/holdfast/jurisdictions";
  std::string out;        // folder
  std::string discloser;  // file of the disclosure machine's key
  std::string period;
};

// Everything that a command works on: the law as the files have it, and the verified trail.
struct Desk {
  lawful::Law law;
  server::Trail operators;
  lawful::Trail trail;
};
Result<Desk> open_desk(const Options& options, const LawfulOptions& given);
// What the service knows of a demand's target; the answer itself has more.
Result<Json> ask_facts(const Options& options, const lawful::Demand& demand);
lawful::Facts facts_in(const Json& answer);
// Signs the next step with the acting operator's key and has the service keep it.
Result<void> take_step(const Options& options, const LawfulOptions& given, Desk& desk,
                       lawful::Step step, std::uint64_t matter, Bytes document);
// kConflict: what was checked does not hold any more. kUnsafe: its order is not the one that its
// demand makes.
Result<void> check_still(const Options& options, const Desk& desk, const lawful::Matter& matter);
// An answer that makes no sense.
Error misread();
Result<Json> ask_json(const Options& options, const Json& request);

Result<void> lawful_receive(const Options& options, const LawfulOptions& given);
Result<void> lawful_check(const Options& options, const LawfulOptions& given);
Result<void> lawful_challenge(const Options& options, const LawfulOptions& given);
Result<void> lawful_approve(const Options& options, const LawfulOptions& given);
Result<void> lawful_refuse(const Options& options, const LawfulOptions& given);
Result<void> lawful_stage(const Options& options, const LawfulOptions& given);
Result<void> lawful_close(const Options& options, const LawfulOptions& given);
Result<void> lawful_preserve(const Options& options, const LawfulOptions& given);
Result<void> lawful_produce(const Options& options, const LawfulOptions& given);
Result<void> lawful_list(const Options& options, const LawfulOptions& given);
Result<void> lawful_deadlines(const Options& options, const LawfulOptions& given);
Result<void> lawful_verify(const Options& options, const LawfulOptions& given);
Result<void> publish_report(const Options& options, const LawfulOptions& given);

}  // namespace holdfast::daemon
