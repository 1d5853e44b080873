// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IRegistry} from "../utils/BaseTest.sol";

contract UpdateTest is BaseTest {
    function test_changesTheTexts() public {
        _registerCoordinator(3_000_000e18);
        vm.expectEmit(address(registry));
        emit IRegistry.Updated(coordinator, "https://new.example", "new");
        vm.prank(coordinator);
        registry.update("https://new.example", "new");
        assertEq(registry.registration(coordinator).endpoint, "https://new.example");
        assertEq(registry.registration(coordinator).info, "new");
        assertEq(registry.nodeOf(coordinator), coordinatorNode);
    }

    function test_keepsTheLimits() public {
        _registerCoordinator(3_000_000e18);
        _registerMiner(30_000e18);
        vm.startPrank(coordinator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidText.selector, "endpoint", 0, 256));
        registry.update("", "new");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidText.selector, "info", 2049, 2048));
        registry.update("x", string(new bytes(2049)));
        vm.stopPrank();
        vm.prank(miner);
        registry.update("", "");
    }

    function test_revertsForStrangersAndTheRetired() public {
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotRegistered.selector, alice));
        registry.update("x", "y");

        _registerMiner(30_000e18);
        vm.startPrank(miner);
        registry.retire();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotRegistered.selector, miner));
        registry.update("x", "y");
    }
}
