// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Stream, Streams} from "../../../contracts/libraries/Streams.sol";

contract StreamsTest is Test {
    using Streams for Stream;

    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant PERIOD = 1000;

    function setUp() public {
        vm.warp(START);
    }

    function _funded(uint256 rate) internal view returns (Stream memory s) {
        s.advance(0);
        assertEq(s.fundDown(rate * PERIOD, PERIOD), rate);
    }

    function test_nothingFlowsBeforeItIsFunded() public {
        Stream memory s;
        s.advance(1e18);
        vm.warp(START + 1000);
        s.advance(1e18);
        assertEq(s.perWeight, 0);
        assertEq(s.endsAt, 0);
        assertEq(s.updatedAt, START + 1000);
    }

    /// Reckoned in the very second of its end: idle time after that does not bring it to life again.
    function test_isOverAtItsEnd() public {
        Stream memory s = _funded(8e18);
        vm.warp(START + PERIOD);
        s.advance(2e18);
        vm.warp(START + PERIOD + 77);
        s.advance(0);
        assertEq(s.endsAt, START + PERIOD);
    }

    function test_flowsEvenlyUntilItsEnd() public {
        Stream memory s = _funded(8e18);
        vm.warp(START + 250);
        s.advance(2e18);
        assertEq(s.perWeight, 1000 << 48);
        assertEq(s.earnedDown(2e18, 0), 2000e18);
        vm.warp(START + PERIOD + 77);
        s.advance(4e18);
        assertEq(s.perWeight, (1000 + 1500) << 48);
        s.advance(4e18);
        assertEq(s.perWeight, 2500 << 48, "once");
        assertEq(s.endsAt, START + PERIOD);
    }

    function test_standsStillWithoutWeight() public {
        Stream memory s = _funded(1e18);
        vm.warp(START + 100);
        s.advance(1e18);
        vm.warp(START + 5000);
        s.advance(0);
        assertEq(s.perWeight, 100 << 48);
        assertEq(s.endsAt, START + 5000 + 900);
        vm.warp(START + 9000);
        s.advance(1e18);
        assertEq(s.perWeight, 1000 << 48);
        // Over: the end stays where it is.
        vm.warp(START + 10_000);
        s.advance(0);
        assertEq(s.endsAt, START + 5900);
    }

    function test_startsAnewInTheLastTenth() public {
        Stream memory s = _funded(10e18);
        vm.warp(START + 900);
        s.advance(1e18);
        assertEq(s.fundDown(100e18, PERIOD), 1e18);
        assertEq(s.rate, 11e18);
        assertEq(s.endsAt, START + PERIOD);
        vm.warp(START + 901);
        s.advance(1e18);
        // 99 seconds of 11 are left: a new period of less than 11 a second would slow them down.
        assertEq(s.fundDown(9911e18 - 1, PERIOD), 0);
        assertEq(s.rate, 11e18);
        assertEq(s.fundDown(10_000e18, PERIOD), 10e18);
        assertEq(s.rate, 10e18 + 1.089e18);
        assertEq(s.endsAt, START + 901 + PERIOD);
    }

    /// Used up: rewards end, and nothing reverts.
    function test_saturates() public {
        Stream memory s = _funded(type(uint72).max);
        s.perWeight = type(uint72).max - 5;
        vm.warp(START + 500);
        s.advance(1);
        assertEq(s.perWeight, type(uint72).max);
        assertEq(s.earnedDown(1 << 48, type(uint72).max - 5), 5);
        vm.warp(START + 600);
        s.advance(1);
        assertEq(s.earnedDown(2 ** 96 - 1, type(uint72).max), 0);
    }

    /// For any splitting of the time and any weights never more is earned than flowed, nor flows more than was funded.
    function testFuzz_neverPaysMoreThanItWasFundedWith(
        uint256[6] memory amounts,
        uint256[6] memory gaps,
        uint256[6] memory weights,
        uint256 part
    ) public {
        Stream memory s;
        uint256 funded;
        uint256 earned;
        s.advance(0);
        for (uint256 i; i < 6; ++i) {
            uint256 amount = bound(amounts[i], 0, 1e26);
            if (s.rate < 2 ** 71 && amount / 100 < 2 ** 71) {
                funded += amount;
                s.fundDown(amount, PERIOD);
            }
            uint256 total = i % 3 == 1 ? 0 : bound(weights[i], 2 ** 66, 2 ** 90);
            uint256 paid = s.perWeight;
            vm.warp(block.timestamp + bound(gaps[i], 0, PERIOD));
            s.advance(total);
            uint256 mine = bound(part, 0, total);
            earned += s.earnedDown(mine, paid) + s.earnedDown(total - mine, paid);
            assertLe(earned, funded);
        }
        uint256 last = s.perWeight;
        vm.warp(block.timestamp + 1e6);
        s.advance(2 ** 80);
        assertLe(earned + s.earnedDown(2 ** 80, last), funded);
    }
}
