//! Reading the inline bytes of a value in search of pointers.
//!
//! A value that owns heap memory has the addresses of its blocks somewhere in
//! its own bytes. Reading every aligned word finds them without anything being
//! asked of its type. Words that are no addresses do no harm: what becomes of a
//! word is a look into a table of addresses, and no word is ever dereferenced.

#[cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    not(miri)
))]
use crate::word;

/// Bytes of a word, and the alignment at which pointers lie.
const WORD: usize = 8;

/// Below this no block lies.
const LOWEST: usize = 4096;

/// At or above this no address of a program lies.
const END: usize = if cfg!(target_arch = "x86_64") {
    1 << 47
} else {
    1 << 48
};

/// Calls `visit` with each aligned word of the inline bytes of `value` that may
/// be the address of a block: a multiple of eight, at least 4096, below 2⁴⁷
/// (2⁴⁸ where the architecture has that many). Not with what lies behind
/// pointers.
///
/// For a container that wants to find its own table among the live samples.
/// Under a nanosecond a word; types of less than eight bytes or a smaller
/// alignment have no words. Nothing is visited under Miri and on architectures
/// other than `x86_64` and `aarch64`.
#[inline(always)]
pub fn words<T>(value: &T, mut visit: impl FnMut(usize)) {
    each_word(value, read, |word| {
        if may_point(word) {
            visit(word);
        }
    });
}

/// Whether values of this type can own a block that a scan would find.
pub(crate) const fn may_own<T>() -> bool {
    std::mem::needs_drop::<T>() && align_of::<T>() >= WORD && size_of::<T>() >= WORD
}

/// Whether a word looks like an address, in three instructions: the rotation
/// makes a huge number of one whose three low bits are not zero.
#[inline(always)]
fn may_point(word: usize) -> bool {
    word.rotate_right(3).wrapping_sub(LOWEST >> 3) < (END - LOWEST) >> 3
}

/// Visits each aligned word of a value, as `read` has it.
#[inline(always)]
fn each_word<T>(value: &T, read: impl Fn(*const usize) -> usize, mut visit: impl FnMut(usize)) {
    if const { align_of::<T>() < WORD } {
        return;
    }
    let start = std::ptr::from_ref(value).cast::<usize>();
    for index in 0..const { size_of::<T>() / WORD } {
        visit(read(start.wrapping_add(index)));
    }
}

/// The word at an address within a value, whatever lies there: a field, a part
/// of several, padding, or bytes that were never written.
#[cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    not(miri)
))]
#[inline(always)]
fn read(address: *const usize) -> usize {
    // SAFETY:
    // To the language this is the choice of an arbitrary number. It touches no
    // memory of the abstract machine and has no other effect, and what follows
    // is right for every number: a word that is the address of a live sampled
    // block moves that block's bytes to another row of a profile, any other word
    // is passed over. Therefore
    // * bytes that are not initialised (padding, the inactive rest of an enum, a
    //   `MaybeUninit`) are never read as a value of any type. An ordinary read
    //   of them would be undefined; the instruction takes what is in the cell;
    // * a pointer in the value lends its provenance to nothing: the number is
    //   compared, never made a pointer again;
    // * bytes behind an `UnsafeCell` that another thread writes meanwhile are no
    //   data race: to the processor an aligned load of eight bytes is whole, and
    //   either value will do.
    // To the processor it is a load. It cannot fault: the callers pass addresses
    // of whole aligned words between the start and the end of a value behind a
    // reference, which is memory that is mapped and readable.
    unsafe { word::read(address) }
}

/// Where the reading above is not possible every word is none that points.
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    not(miri)
)))]
#[inline(always)]
fn read(_address: *const usize) -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The words of a value all of whose bytes are initialised.
    fn plain_words<T>(value: &T) -> Vec<usize> {
        let mut seen = Vec::new();
        each_word(
            value,
            // SAFETY: within the value, aligned, and initialised in each test.
            |address| unsafe { address.read() },
            |word| seen.push(word),
        );
        seen
    }

    #[test]
    fn each_aligned_word_is_read_once() {
        assert_eq!(plain_words(&[1usize, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(plain_words(&7u64), [7]);
        assert_eq!(plain_words(&()), []);
        assert_eq!(plain_words(&[0usize; 0]), []);
        assert_eq!(plain_words(&[[9usize; 100]; 5]), [9; 500]);
    }

    /// What is shorter than a word or lies less aligned holds no pointers.
    #[test]
    fn less_aligned_values_have_no_words() {
        #[repr(C, packed(4))]
        struct Packed(u32, usize);
        assert_eq!(plain_words(&[1u8; 64]), []);
        assert_eq!(plain_words(&[1u32; 64]), []);
        assert_eq!(plain_words(&Packed(1, 2)), []);
    }

    /// The end of an over-aligned value is padding, not another value.
    #[test]
    fn reading_ends_with_the_value() {
        #[allow(dead_code, reason = "read as words")]
        #[repr(align(32))]
        struct Wide([usize; 4]);
        let pair = [Wide([1, 2, 3, 4]), Wide([5, 6, 7, 8])];
        assert_eq!(plain_words(&pair[0]), [1, 2, 3, 4]);
        assert_eq!(plain_words(&pair), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    /// Under Miri the reading is replaced: nothing is visited.
    #[test]
    fn what_may_point_is_visited() {
        let mut visited = Vec::new();
        words(&[4096usize, 4097, 8, 8192, END], |word| visited.push(word));
        assert_eq!(visited, if cfg!(miri) { vec![] } else { vec![4096, 8192] });
    }

    #[test]
    fn types_that_can_own_blocks() {
        assert!(may_own::<Box<u8>>() && may_own::<String>() && may_own::<Option<Box<[u8]>>>());
        assert!(may_own::<(u8, std::sync::Arc<str>)>() && may_own::<Box<dyn Fn()>>());
        assert!(!may_own::<u64>() && !may_own::<&'static str>() && !may_own::<[*const u8; 3]>());
        assert!(!may_own::<()>() && !may_own::<std::mem::ManuallyDrop<String>>());
    }

    proptest! {
        #[test]
        fn words_like_pointers(word in prop_oneof![
            any::<usize>(),
            0usize..10_000,
            (any::<usize>(), 0u32..64).prop_map(|(word, shift)| word >> shift),
            (END - 64)..(END + 64),
        ]) {
            let expected = word.is_multiple_of(8) && (4096..END).contains(&word);
            prop_assert_eq!(may_point(word), expected);
        }
    }

    /// Pointers that a scan of the value finds. Reads what may not be read in
    /// any other way: padding and bytes that were never written.
    #[cfg(not(miri))]
    mod real {
        use super::*;
        use std::cell::Cell;
        use std::mem::MaybeUninit;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        fn finds<T>(value: &T, address: usize) -> bool {
            let mut found = false;
            words(value, |word| {
                assert!(may_point(word));
                found |= word == address;
            });
            found
        }

        #[allow(dead_code, reason = "fields that are there to be passed over")]
        #[repr(C)]
        struct Padded {
            small: u8,
            owner: Box<u64>,
            tail: MaybeUninit<[u8; 40]>,
            last: u16,
        }

        #[allow(dead_code, reason = "what is in them is found, not used")]
        enum Choice {
            Nothing,
            Name(String),
            Shared(u8, Arc<[u32]>),
        }

        #[test]
        fn owners_of_all_kinds() {
            let boxed = Box::new(5u64);
            let address = std::ptr::from_ref(&*boxed).addr();
            let padded = Padded {
                small: 1,
                owner: boxed,
                tail: MaybeUninit::uninit(),
                last: 2,
            };
            assert!(finds(&padded, address) && (padded.small, padded.last) == (1, 2));
            assert_eq!(*padded.owner, 5);
            assert!(finds(&[Some(padded), None], address));

            let name = String::from("name");
            let address = name.as_ptr().addr();
            let choices = [Choice::Nothing, Choice::Name(name)];
            // The first has bytes that were never written: what is in them may be anything.
            assert!(finds(&choices[1], address));

            // An Arc points to its counts, two words before the value.
            let shared: Arc<[u32]> = Arc::from(vec![1, 2, 3]);
            let address = shared.as_ptr().addr() - 16;
            assert!(finds(&Choice::Shared(1, shared), address));

            let list = Vec::from([1u8, 2, 3]);
            let address = list.as_ptr().addr();
            let callback: Box<dyn Fn() -> usize> = Box::new(move || list.len());
            assert!(!finds(&callback, address), "only the first pointer is seen");
            let address = std::ptr::from_ref(&*callback).cast::<u8>().addr();
            assert!(finds(&Some(callback), address));
        }

        #[test]
        fn cells_are_read_too() {
            let pointer = AtomicUsize::new(0x1000);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for n in 1..1000 {
                        pointer.store(n << 12, Ordering::Relaxed);
                    }
                });
                let last = Cell::new(0);
                for _ in 0..1000 {
                    words(&pointer, |word| {
                        assert!(word.is_multiple_of(4096) && word >= last.get());
                        last.set(word);
                    });
                }
            });
        }
    }
}
