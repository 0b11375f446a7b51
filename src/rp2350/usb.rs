//! The USB device controller (section 12.7) as a usb-device bus.
//!
//! Differences from the HAL's: clearing a halt resets the data toggle and drops a queued packet (USB 2.0 9.4.5); an unread OUT
//! packet does not keep its interrupt pending, so that the core can sleep; every status bit is cleared exactly when it is
//! reported, so that no event is lost between reading and clearing; [`UsbBus::detach`] takes the pull-up away.
//!
//! All state lies behind a critical section: calls may come from the main loop or from an interrupt handler. Errata: E12 asks for
//! clk_sys at least 10 % above clk_usb, which the clock set-up sees to; the RP2040's E2 (no abort) and E15 are fixed in
//! the RP2350.

use super::usb_endpoint::{
    Buffer, DPRAM_LENGTH, EP0_BUFFER, EndpointTable, PACKET_LENGTH, SETUP_PACKET, copy_from_dpram, copy_to_dpram,
};
use core::cell::RefCell;
use critical_section::Mutex;
use rp235x_hal::clocks::UsbClock;
use rp235x_hal::pac;
use usb_device::bus::{PollResult, UsbBus as Bus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// Bits of BUFF_STATUS, EP_ABORT and EP_ABORT_DONE that stand for IN endpoints (table 1402 and following): the even ones.
const IN_BITS: u32 = 0x5555_5555;

/// How long a detached device stays away, in CPU cycles: 20 ms at 150 MHz. Hosts debounce for 100 ms on attach only.
const DETACH_CYCLES: u32 = 3_000_000;

/// Upper bound for the wait until the controller has let go of a buffer, in polls. A packet takes 8,000 cycles at most.
const ABORT_POLLS: u32 = 10_000;

/// The USB device controller.
pub struct UsbBus {
    controller: Mutex<RefCell<Controller>>,
}

struct Controller {
    registers: pac::USB,
    dpram: pac::USB_DPRAM,
    table: EndpointTable,
    /// A SETUP packet was reported and not read yet.
    setup_waits: bool,
    /// OUT endpoints with a packet that was reported and not read yet.
    out_waits: u16,
    /// Next data toggle per endpoint: bit set for DATA1.
    in_toggles: u16,
    out_toggles: u16,
    /// Proof that clk_usb runs.
    _clock: UsbClock,
}

impl UsbBus {
    /// Takes the controller out of reset (section 12.7.4.1) with everything disabled and the device detached.
    ///
    /// VBUS counts as present: the boards that this is for are powered by it.
    pub fn new(registers: pac::USB, dpram: pac::USB_DPRAM, clock: UsbClock, resets: &mut pac::RESETS) -> Self {
        resets.reset().modify(|_, w| w.usbctrl().set_bit());
        resets.reset().modify(|_, w| w.usbctrl().clear_bit());
        while resets.reset_done().read().usbctrl().bit_is_clear() {}
        for word in 0..DPRAM_LENGTH / 4 {
            // SAFETY: `Buffer::word` stays within the DPRAM, which this function owns by `dpram`; the controller is disabled.
            unsafe { Buffer(0).word(word).write_volatile(0) };
        }
        registers.usb_muxing().write(|w| w.to_phy().set_bit().softcon().set_bit());
        registers.usb_pwr().write(|w| w.vbus_detect().set_bit().vbus_detect_override_en().set_bit());
        // PHY_ISO (new in the RP2350) has to go as well: the whole register is written.
        registers.main_ctrl().write(|w| w.controller_en().set_bit().phy_iso().clear_bit());
        registers.sie_ctrl().write(|w| w.ep0_int_1buf().set_bit());
        let controller = Controller {
            registers,
            dpram,
            table: EndpointTable::new(),
            setup_waits: false,
            out_waits: 0,
            in_toggles: 0,
            out_toggles: 0,
            _clock: clock,
        };
        Self { controller: Mutex::new(RefCell::new(controller)) }
    }

    /// Takes the pull-up of D+ away: for the host the device is unplugged (USB 2.0 7.1.7.3).
    pub fn detach(&self) {
        self.with(|controller| controller.registers.sie_ctrl().modify(|_, w| w.pullup_en().clear_bit()));
    }

    /// Pulls D+ up: the host finds a device and resets it.
    pub fn attach(&self) {
        self.with(|controller| controller.registers.sie_ctrl().modify(|_, w| w.pullup_en().set_bit()));
    }

    fn with<R>(&self, work: impl FnOnce(&mut Controller) -> R) -> R {
        critical_section::with(|section| work(&mut self.controller.borrow(section).borrow_mut()))
    }
}

impl Controller {
    fn buffer_control(&self, address: EndpointAddress) -> &pac::usb_dpram::EP_BUFFER_CONTROL {
        self.dpram.ep_buffer_control(bit_of(address) as usize)
    }

    /// Hands a buffer to the controller. AVAILABLE comes last and alone, so that the controller, in another clock domain, sees
    /// the other fields settled (section 12.7.3.7.1: 12 cycles suffice for clk_sys up to 12 times clk_usb).
    fn give(&self, address: EndpointAddress, length: usize, full: bool, data1: bool) {
        let control = self.buffer_control(address);
        control.write(|w| {
            // SAFETY: LENGTH takes 10 bits; lengths are at most 64.
            unsafe { w.length_0().bits(length as u16) }.full_0().bit(full).pid_0().bit(data1)
        });
        cortex_m::asm::delay(12);
        control.modify(|_, w| w.available_0().set_bit());
    }

    /// Prepares an OUT endpoint for its next packet.
    fn receive(&mut self, address: EndpointAddress) {
        let data1 = self.out_toggles & 1 << address.index() != 0;
        self.out_waits &= !(1 << address.index());
        self.give(address, PACKET_LENGTH, false, data1);
    }

    /// Takes a buffer back from the controller: by EP_ABORT when it is the controller's (section 12.7.3.7.2).
    fn take_back(&mut self, address: EndpointAddress) {
        let bit = 1 << bit_of(address);
        if self.buffer_control(address).read().available_0().bit_is_set() {
            // SAFETY: each bit of EP_ABORT stands for an endpoint; no other abort is ever under way.
            self.registers.ep_abort().write(|w| unsafe { w.bits(bit) });
            for _ in 0..ABORT_POLLS {
                if self.registers.ep_abort_done().read().bits() & bit != 0 {
                    break;
                }
            }
            self.buffer_control(address).reset();
            // SAFETY: write 1 to clear, and each bit stands for an endpoint.
            self.registers.ep_abort_done().write(|w| unsafe { w.bits(bit) });
            self.registers.ep_abort().reset();
        } else {
            self.buffer_control(address).reset();
        }
        // SAFETY: as above. A packet that went before the abort is no event any more.
        self.registers.buff_status().write(|w| unsafe { w.bits(bit) });
    }

    /// Brings every endpoint into the state after a bus reset (USB 2.0 9.1.1.3).
    fn reset(&mut self) {
        self.registers.addr_endp().reset();
        self.registers.ep_stall_arm().reset();
        // SAFETY: write 1 to clear. What was queued or received before the bus reset is void, SETUP packets included.
        unsafe { self.registers.buff_status().write(|w| w.bits(u32::MAX)) };
        self.registers.sie_status().write(|w| w.setup_rec().clear_bit_by_one());
        self.setup_waits = false;
        self.out_waits = 0;
        self.in_toggles = 0;
        self.out_toggles = 0;
        self.buffer_control(EndpointAddress::from(0x80)).reset();
        self.buffer_control(EndpointAddress::from(0x00)).reset();
        for (address, endpoint) in self.table.iter() {
            self.buffer_control(address).reset();
            // SAFETY: the address is a multiple of 64 within the DPRAM.
            self.dpram.ep_control(bit_of(address) as usize - 2).write(|w| unsafe {
                w.enable().set_bit();
                w.interrupt_per_buff().set_bit();
                w.endpoint_type().bits(endpoint.kind);
                w.buffer_address().bits(endpoint.buffer.0)
            });
        }
        for index in 1..16 {
            let address = EndpointAddress::from_parts(index, UsbDirection::Out);
            if self.table.get(address).is_some() {
                self.receive(address);
            }
        }
    }

    fn buffer(&self, address: EndpointAddress) -> Result<Buffer> {
        if address.index() == 0 {
            return Ok(EP0_BUFFER);
        }
        self.table.get(address).map(|endpoint| endpoint.buffer).ok_or(UsbError::InvalidEndpoint)
    }

    fn write(&mut self, address: EndpointAddress, packet: &[u8]) -> Result<usize> {
        let buffer = self.buffer(address)?;
        if packet.len() > PACKET_LENGTH {
            return Err(UsbError::BufferOverflow);
        }
        if self.buffer_control(address).read().available_0().bit_is_set() {
            return Err(UsbError::WouldBlock);
        }
        copy_to_dpram(packet, buffer);
        let bit = 1 << address.index();
        self.give(address, packet.len(), true, self.in_toggles & bit != 0);
        self.in_toggles ^= bit;
        Ok(packet.len())
    }

    fn read(&mut self, address: EndpointAddress, out: &mut [u8]) -> Result<usize> {
        let buffer = self.buffer(address)?;
        if address.index() == 0 && self.setup_waits {
            return self.read_setup(out);
        }
        let bit = 1 << address.index();
        if self.out_waits & bit == 0 {
            return Err(UsbError::WouldBlock);
        }
        let length = usize::from(self.buffer_control(address).read().length_0().bits());
        let packet = out.get_mut(..length).ok_or(UsbError::BufferOverflow)?;
        copy_from_dpram(buffer, packet);
        self.out_waits &= !bit;
        self.out_toggles ^= bit;
        // Endpoint 0 expects more only after a full packet: a short one ends the data stage, or is the status stage.
        if address.index() != 0 || length == PACKET_LENGTH {
            self.receive(address);
        }
        Ok(length)
    }

    fn read_setup(&mut self, out: &mut [u8]) -> Result<usize> {
        let packet = out.get_mut(..8).ok_or(UsbError::BufferOverflow)?;
        copy_from_dpram(SETUP_PACKET, packet);
        self.setup_waits = false;
        self.out_waits &= !1;
        // Data and status stages begin with DATA1 (USB 2.0 8.5.3).
        self.in_toggles |= 1;
        self.out_toggles |= 1;
        let is_in = packet.first().is_some_and(|request_type| request_type & 0x80 != 0);
        let has_data = packet.get(6..8).is_some_and(|length| length != [0, 0]);
        if is_in || has_data {
            self.receive(EndpointAddress::from(0x00));
        }
        Ok(8)
    }

    fn poll(&mut self) -> PollResult {
        let status = self.registers.ints().read();
        if status.bus_reset().bit_is_set() {
            self.registers.sie_status().write(|w| w.bus_reset().clear_bit_by_one());
            return PollResult::Reset;
        }
        let done = self.registers.buff_status().read().bits();
        let setup = status.setup_req().bit_is_set();
        if done == 0 && !setup {
            if status.dev_suspend().bit_is_set() {
                self.registers.sie_status().write(|w| w.suspended().clear_bit_by_one());
                return PollResult::Suspend;
            }
            if status.dev_resume_from_host().bit_is_set() {
                self.registers.sie_status().write(|w| w.resume().clear_bit_by_one());
                return PollResult::Resume;
            }
            return PollResult::None;
        }
        // SAFETY: write 1 to clear; exactly what is reported below.
        unsafe { self.registers.buff_status().write(|w| w.bits(done)) };
        let ep_in_complete = every_second_bit(done & IN_BITS);
        let mut ep_out = every_second_bit(done >> 1 & IN_BITS);
        if setup {
            // A SETUP packet voids what endpoint 0 was about to do (USB 2.0 8.5.3.4), an OUT packet before it included.
            self.registers.sie_status().write(|w| w.setup_rec().clear_bit_by_one());
            self.take_back(EndpointAddress::from(0x80));
            self.take_back(EndpointAddress::from(0x00));
            self.setup_waits = true;
            ep_out &= !1;
        }
        self.out_waits |= ep_out;
        PollResult::Data { ep_out, ep_in_complete, ep_setup: u16::from(setup) }
    }

    fn set_stalled(&mut self, address: EndpointAddress, stalled: bool) {
        if address.index() == 0 {
            // STALL on endpoint 0 takes both bits (section 12.7.3.5); the next SETUP packet clears the arm bit.
            self.registers.ep_stall_arm().modify(|_, w| match address.direction() {
                UsbDirection::In => w.ep0_in().bit(stalled),
                UsbDirection::Out => w.ep0_out().bit(stalled),
            });
            self.buffer_control(address).modify(|_, w| w.stall().bit(stalled));
            return;
        }
        if self.table.get(address).is_none() {
            return;
        }
        if stalled {
            self.take_back(address);
            if address.is_out() {
                self.out_waits &= !(1 << address.index());
            }
            self.buffer_control(address).write(|w| w.stall().set_bit());
        } else if address.is_in() {
            self.clear_in_halt(address);
        } else {
            self.clear_out_halt(address);
        }
    }

    /// CLEAR_FEATURE(ENDPOINT_HALT) resets the data toggle, halted or not (USB 2.0 9.4.5). A packet that waits in an endpoint
    /// which was not halted stays, as DATA0.
    fn clear_in_halt(&mut self, address: EndpointAddress) {
        let bit = 1 << address.index();
        let control = self.buffer_control(address).read();
        self.in_toggles &= !bit;
        if control.available_0().bit_is_set() && control.stall().bit_is_clear() {
            let length = usize::from(control.length_0().bits());
            self.take_back(address);
            self.give(address, length, true, false);
            self.in_toggles |= bit;
        } else {
            self.take_back(address);
        }
    }

    fn clear_out_halt(&mut self, address: EndpointAddress) {
        let bit = 1 << address.index();
        if self.out_waits & bit != 0 {
            // `read` turns the toggle over: DATA0 comes after the packet that waits.
            self.out_toggles |= bit;
        } else {
            self.take_back(address);
            self.out_toggles &= !bit;
            self.receive(address);
        }
    }
}

impl Bus for UsbBus {
    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        address: Option<EndpointAddress>,
        kind: EndpointType,
        max_packet_size: u16,
        _interval: u8,
    ) -> Result<EndpointAddress> {
        self.with(|controller| controller.table.allocate(direction, address, kind, max_packet_size))
    }

    fn enable(&mut self) {
        self.with(|controller| {
            controller.registers.inte().write(|w| {
                w.buff_status().set_bit();
                w.bus_reset().set_bit();
                w.setup_req().set_bit();
                w.dev_suspend().set_bit();
                w.dev_resume_from_host().set_bit()
            });
        });
        self.attach();
    }

    fn reset(&self) {
        self.with(Controller::reset);
    }

    fn set_device_address(&self, address: u8) {
        // SAFETY: ADDRESS takes 7 bits.
        self.with(|controller| {
            controller.registers.addr_endp().write(|w| unsafe { w.address().bits(address & 0x7F) });
        });
    }

    fn write(&self, address: EndpointAddress, packet: &[u8]) -> Result<usize> {
        self.with(|controller| controller.write(address, packet))
    }

    fn read(&self, address: EndpointAddress, out: &mut [u8]) -> Result<usize> {
        self.with(|controller| controller.read(address, out))
    }

    fn set_stalled(&self, address: EndpointAddress, stalled: bool) {
        self.with(|controller| controller.set_stalled(address, stalled));
    }

    fn is_stalled(&self, address: EndpointAddress) -> bool {
        self.with(|controller| controller.buffer_control(address).read().stall().bit_is_set())
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        self.with(Controller::poll)
    }

    /// Detaches for 20 ms of waiting, then attaches again.
    fn force_reset(&self) -> Result<()> {
        self.detach();
        cortex_m::asm::delay(DETACH_CYCLES);
        self.attach();
        Ok(())
    }
}

/// Position of an endpoint in BUFF_STATUS, EP_ABORT and the buffer control registers.
fn bit_of(address: EndpointAddress) -> u32 {
    address.index() as u32 * 2 + u32::from(address.is_out())
}

/// Gathers the even bits: bit 2n becomes bit n.
fn every_second_bit(bits: u32) -> u16 {
    let mut bits = bits;
    bits = (bits | bits >> 1) & 0x3333_3333;
    bits = (bits | bits >> 2) & 0x0F0F_0F0F;
    bits = (bits | bits >> 4) & 0x00FF_00FF;
    (bits | bits >> 8) as u16
}
