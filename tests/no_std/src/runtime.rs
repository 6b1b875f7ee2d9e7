//! What an operating system or a C library would bring: entry point, exit, memory routines, allocator, panic handler.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::asm;
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Never frees: the program is short.
struct Bump {
    heap: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

const SIZE: usize = 16 << 20;

#[global_allocator]
static HEAP: Bump = Bump { heap: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: there is one thread, and no two allocations overlap because `used` only grows.
unsafe impl Sync for Bump {}

// SAFETY: each block lies within `heap`, is aligned as asked, and is handed out once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.heap.get().cast::<u8>();
        let free = base.wrapping_add(self.used.load(Ordering::Relaxed));
        let skip = free.align_offset(layout.align());
        let end = self.used.load(Ordering::Relaxed).saturating_add(skip).saturating_add(layout.size());
        if end > SIZE {
            return ptr::null_mut();
        }
        self.used.store(end, Ordering::Relaxed);
        free.wrapping_add(skip)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

// The entry point. The kernel leaves the stack as it likes; `start` needs it aligned.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(".globl _start", "_start:", "and rsp, -16", "call {start}", start = sym start);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(".globl _start", "_start:", "bl {start}", start = sym start);

extern "C" fn start() -> ! {
    exit(if super::conversation() { 0 } else { 1 })
}

/// Linux's exit_group.
fn exit(code: i32) -> ! {
    // SAFETY: the call takes one integer and does not return.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", in("rax") 231, in("rdi") code, options(noreturn))
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") 94, in("x0") code, options(noreturn))
    }
}

// The routines that the compiler calls by name. Volatile accesses keep it from turning the loops into those very calls.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    for i in 0..n {
        // SAFETY: the caller promises `n` octets on both sides.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= n {
        // SAFETY: going forward overwrites nothing that is still to be read.
        return unsafe { memcpy(to, from, n) };
    }
    for i in (0..n).rev() {
        // SAFETY: the caller promises `n` octets on both sides.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, octet: i32, n: usize) -> *mut u8 {
    for i in 0..n {
        // SAFETY: the caller promises `n` octets.
        unsafe { to.add(i).write_volatile(octet.to_le_bytes()[0]) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    for i in 0..n {
        // SAFETY: the caller promises `n` octets on both sides.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, n) }
}
