//! An echo host on a small device, to be measured and not to be run: the device is opaque to the compiler.
#![no_std]
#![no_main]

mod device;
#[cfg(feature = "machine")]
mod echo;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    loop {
        #[cfg(feature = "machine")]
        echo::serve();
        #[cfg(not(feature = "machine"))]
        core::hint::black_box((device::receive(), device::now(), device::transmit(&[])));
    }
}
