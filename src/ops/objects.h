/* For the operators of sequences and optionals: reading and making objects (base/object.h) through views, and types of what they hold.
 *
 * Alternatives to what is done: sequences as tensors with one more dim would need elements of equal shape; elements in the memory planner's
 * slab would need lifetimes that depend on data. Counted immutable objects cost an allocation for each new element and copies of pointers,
 * and only networks that have them pay it: a tensor's path is as before. A value's place keeps a reference, which the next run replaces. */
#ifndef INGOT_OPS_OBJECTS_H
#define INGOT_OPS_OBJECTS_H
#include "ops/ints.h"
#include "ops/move.h"

/* The sequence in input i, also in an optional that holds one. INGOT_E_TYPE when it is none or nothing. */
ingot_status ingot__in_sequence(const ingot__call *call, size_t i, const ingot__object **sequence);
/* Output i becomes the object (whose reference it takes), which may be NULL for lack of memory. Not wanted: it is released. */
ingot_status ingot__out_object(const ingot__call *call, size_t i, ingot__object *object);
/* What a view holds: a copy of a tensor, or another reference to an object. NULL: no memory, or an optional that holds nothing and has
 * never been made. */
ingot__object *ingot__view_to_object(const ingot__call *call, const ingot__view *view);
/* A view of a tensor object's elements. */
void ingot__object_view(const ingot__object *tensor, ingot__view *view);
/* Output i, a tensor, takes a tensor object's elements. */
ingot_status ingot__out_tensor(const ingot__call *call, size_t i, const ingot__object *tensor);

/* Requires that input i is a sequence (or an optional one, where `optional` allows that it is held in one). */
ingot_status ingot__infer_sequence(ingot__infer *f, size_t i);
/* a = what a and b have in common in rank and dims. */
void ingot__type_meet(ingot__type *a, const ingot__type *b);
#endif
