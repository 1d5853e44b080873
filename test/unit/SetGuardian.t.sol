// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract SetGuardianTest is BaseTest {
    function test_replacesTheGuardian() public {
        assertEq(staking.guardian(), guardian);
        vm.expectEmit(address(staking));
        emit IStaking.GuardianSet(carol);
        vm.prank(timelock);
        staking.setGuardian(carol);
        assertEq(staking.guardian(), carol);
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, guardian));
        staking.pauseEntry(block.timestamp + 1);
        vm.prank(carol);
        staking.pauseEntry(block.timestamp + 1);
    }

    function test_mayBeNobody() public {
        vm.prank(timelock);
        staking.setGuardian(address(0));
        assertEq(staking.guardian(), address(0));
    }

    function test_theExpiryStays() public {
        vm.warp(block.timestamp + GUARDIAN_TERM - 1);
        assertEq(staking.guardian(), guardian);
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + 1 days);
        vm.warp(block.timestamp + 1);
        assertEq(staking.guardian(), address(0));
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, guardian));
        staking.pauseEntry(0);
        vm.prank(timelock);
        staking.setGuardian(carol);
        assertEq(staking.guardian(), address(0), "a new one has no more time");
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, carol));
        staking.pauseEntry(0);
    }

    function test_revertsForOthers() public {
        address[3] memory others = [guardian, slasher, alice];
        for (uint256 i; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            staking.setGuardian(others[i]);
        }
    }
}
