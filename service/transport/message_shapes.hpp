// SPDX-License-Identifier: Apache-2.0
// What may be said to an actor, and what it may answer, as its interface has it.
#pragma once

#include "crosvisor/service/transport/wire_check.hpp"

#include <caf/detail/type_list.hpp>
#include <caf/replies_to.hpp>
#include <caf/type_id.hpp>
#include <caf/type_nr.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::transport {

/// The name of a type on the wire. Ours need messages/type_ids.hpp, without which this does not
/// compile.
template <class T>
std::string wire_name() {
  constexpr auto number = caf::type_nr<T>::value;
  if constexpr (number != 0)
    return caf::numbered_type_names[number - 1];
  else
    return caf::type_name<T>::value;
}

/// A set of messages, each a sequence of types in which atoms have their values.
class message_shapes {
public:
  /// Adds the message of these elements.
  template <class... Ts>
  void add() {
    std::string types = "@<>";
    ((types += '+' + wire_name<Ts>()), ...);
    shapes_.push_back({std::move(types), [](wire_reader from) {
                         wire_check check{from};
                         return (check.value(Ts{}) && ...) && from.remaining() == 0;
                       }});
  }

  /// Whether it is one of them: the elements' types, and all that follows.
  bool contain(std::string_view types, wire_reader elements) const {
    for (const auto& shape : shapes_)
      if (shape.types == types && shape.fits(elements))
        return true;
    return false;
  }

  std::size_t size() const noexcept { return shapes_.size(); }

private:
  struct entry {
    std::string types;
    bool (*fits)(wire_reader);
  };

  std::vector<entry> shapes_;
};

namespace detail {

template <class... Is, class Output>
void add_inputs(message_shapes& to, caf::typed_mpi<caf::detail::type_list<Is...>, Output>*) {
  to.add<Is...>();
}

template <class Input, class... Os>
void add_outputs(message_shapes& to, caf::typed_mpi<Input, caf::output_tuple<Os...>>*) {
  to.add<Os...>();
}

template <class Input>
void add_outputs(message_shapes&, caf::typed_mpi<Input, caf::output_tuple<void>>*) {}

template <class... Sigs>
void add_inputs(message_shapes& to, caf::detail::type_list<Sigs...>) {
  (add_inputs(to, static_cast<Sigs*>(nullptr)), ...);
}

template <class... Sigs>
void add_outputs(message_shapes& to, caf::detail::type_list<Sigs...>) {
  (add_outputs(to, static_cast<Sigs*>(nullptr)), ...);
}

} // namespace detail

/// Adds what actors of an interface, such as door_actor, handle.
template <class Handle>
void add_inputs(message_shapes& to) {
  detail::add_inputs(to, typename Handle::signatures{});
}

/// Adds what they answer, errors aside.
template <class Handle>
void add_outputs(message_shapes& to) {
  detail::add_outputs(to, typename Handle::signatures{});
}

} // namespace crosvisor::transport
