// Every lie that the hostile service knows, by name: in tables, a file for each sort. Test-only.
//
// An attack on stored bytes is spelled HOW:WHAT, for example "flip:data" (see kMutations and
// kObjects); "taken-but:CODE" takes every change and answers with an error of that code;
// "level-by-fleet:FILE" signs with the fleet key in that file; the others have a name of their own.
#pragma once

#include <array>
#include <random>
#include <string>
#include <string_view>

#include "circle/circle.h"
#include "hostile/lies.h"

namespace holdfast::hostile {

// Flip one bit, keep the beginning, keep nothing, add a byte, the beginning of one and the end of
// another, two blocks in each other's place, all of it twice, another one of the store's objects.
inline constexpr std::array<std::string_view, 8> kMutations = {
    "flip", "cut", "empty", "extend", "splice", "reorder", "repeat", "other"};
// Packs of names and of contents are told apart by their sizes.
inline constexpr std::array<std::string_view, 9> kObjects = {
    "statement", "record",   "envelope", "sealed-key", "key-segment",
    "index",     "snapshot", "names",    "data"};

using Random = std::mt19937_64;

// Never `bytes` itself, unless `bytes` is empty or `other` is the same.
Bytes mutate(std::string_view how, const Bytes& bytes, const Bytes& other, Random& random);

// Nullopt: there is no such attack. The same seed tells the same lies to the same questions.
std::optional<Lies> attack(std::string_view name, std::uint64_t seed);
// Of all but the mutations.
std::vector<std::string> attack_names();

// The account as the honest service has it.
std::vector<Bytes> statements_of(api::Session& honest);
circle::Circle circle_of(api::Session& honest);
std::vector<Bytes> records_of(api::Session& honest, const VaultId& vault);

}  // namespace holdfast::hostile
