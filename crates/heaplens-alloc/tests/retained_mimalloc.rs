//! What-if drops over mimalloc, against what real drops free.

mod common;

use common::truth::Truth;
use common::what_if;
use heaplens_alloc::Alloc;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOC: Truth<Alloc<MiMalloc>> =
    Truth(Alloc::with(MiMalloc).sample_interval(0).max_overhead_ppm(0));

#[test]
fn containers() {
    what_if::containers();
}

#[test]
fn trees_of_closures() {
    what_if::trees_of_closures();
}

#[test]
fn shared_values() {
    what_if::shared_values();
}

#[test]
fn foreign_containers() {
    what_if::foreign_containers();
}

#[test]
#[ignore = "takes a gigabyte: run scripts/soak-retained"]
fn ten_million_entries() {
    what_if::ten_million_entries();
}

#[test]
fn cycles() {
    what_if::cycles();
}

#[test]
fn busy_destructors() {
    what_if::busy_destructors();
}

#[test]
fn under_churn() {
    what_if::under_churn();
}

#[test]
fn samples() {
    what_if::samples();
}

#[test]
fn values_that_know_their_place() {
    what_if::values_that_know_their_place();
}

#[test]
fn holders() {
    what_if::holders();
}
