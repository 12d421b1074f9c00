// SPDX-License-Identifier: Apache-2.0
// Writes CAF's protocol byte by byte, good and bad.
#pragma once

#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/transport/basp_header.hpp"
#include "crosvisor/service/transport/message_shapes.hpp"
#include "crosvisor/service/transport/node_key.hpp"

#include <caf/atom.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace crosvisor::tests::basp {

using transport::basp_header;
using transport::basp_operation;
using transport::node_key;

/// In network order.
std::string number(std::uint64_t value, std::size_t bytes);

/// CAF's way of writing a sequence's size.
std::string size_of(std::uint64_t size);

/// With its size before it.
std::string text(std::string_view content);

std::string atom(caf::atom_value value);

std::string node(const node_key& key);

/// A node of this process, the n-th.
node_key own_node(std::uint8_t n = 1);

std::string header(basp_header fields);

/// A header, with its payload's size filled in, and the payload.
std::string frame(basp_header fields, const std::string& payload);

std::string handshake(const node_key& from, std::uint8_t flags = 0);

/// A message's payload: no stages, these types, which begin with `@<>`, and their elements.
std::string content(std::string_view types, std::string_view elements);

constexpr std::uint64_t unasked = 0x1000000000000000;
constexpr std::uint64_t request = unasked | 3;

/// A direct message.
std::string message(std::uint64_t to, const std::string& payload, std::uint64_t id = unasked,
                    std::uint64_t from = 77, std::uint8_t flags = 0);

/// The elements of (list).
std::string list_content();

std::string monitor(const node_key& from, const node_key& to, std::uint64_t actor);

/// That an actor is gone, with a reason as error() writes it.
std::string down(const node_key& from, const node_key& to, std::uint64_t actor,
                 const std::string& reason);

/// An error of this context, which is a message's types and elements.
std::string error(const std::string& context);

/// Messages within messages, so deep.
std::string nested(int depth);

/// The types and elements of an exit message that says `kill`.
std::string exit_content(const node_key& from);

} // namespace crosvisor::tests::basp
