//! The heap and the end of the proof.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr::NonNull;

unsafe extern "C" {
    /// Nobody defines it: what can reach a panic does not link. It takes the information about the panic, so that the
    /// compiler does not merge panics that differ in nothing else.
    safe fn PANIC_REACHABLE(info: *const u8) -> !;

    // The premise about memory: an allocator that has none left ends the program or waits, and gives no null pointer.
    safe fn host_alloc(size: usize, align: usize) -> NonNull<u8>;
    fn host_realloc(block: *mut u8, old: usize, align: usize, new: usize) -> NonNull<u8>;
    fn host_free(block: *mut u8, size: usize, align: usize);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    PANIC_REACHABLE(core::ptr::from_ref(info).cast())
}

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: nothing of this ever runs.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        host_alloc(layout.size(), layout.align()).as_ptr()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        host_alloc(layout.size(), layout.align()).as_ptr()
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract is that of `realloc`.
        unsafe { host_realloc(block, layout.size(), layout.align(), size).as_ptr() }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is that of `dealloc`.
        unsafe { host_free(block, layout.size(), layout.align()) }
    }
}
