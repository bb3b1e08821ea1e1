// What a provider does with its own keys and files, for tools/story_hostile. Test-only.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "server/service.h"

namespace holdfast::hostile {

using Options = std::map<std::string, std::string>;

//   hostile forge --home DIR --server URL --pin HEX --fleet FILE
// A row for the service's database: a statement that lowers the account's level, signed by the
// fleet key as the account's member.
// --home: reads the account for it, as the service could by itself.
Result<void> forge(const Options& options);
//   hostile leaf --policy FILE
// The log's entry for a signed policy.
Result<void> leaf(const Options& options);
//   hostile kept --home DIR --server URL --pin HEX --custodian DIR --module FILE --pin-file FILE
// With a copy of a custodian's memory and of its token from before: how many of the objects that
// the vault `main` lists now its keys open.
Result<void> kept(const Options& options);
//   hostile demand --data DIR --custodian URL --custodian-pin HEX
// As a service that wants help given, and has no batch logged that lists it.
Result<void> demand(const Options& options);

// The public log as the real service left it, with its witnesses; it grows no more.
Result<server::LogOptions> log_of_before(const std::string& data);

}  // namespace holdfast::hostile
