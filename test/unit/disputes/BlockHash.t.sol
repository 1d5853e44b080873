// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest} from "../../utils/BaseTest.sol";
import {IRandomness} from "../../../contracts/interfaces/IRandomness.sol";

interface IBlockHash is IRandomness {
    error HashUnknown(uint256 id, uint256 current);

    event Stored(uint256 indexed id, bytes32 value);

    function store(uint256 id) external;
}

contract BlockHashTest is BaseTest {
    IBlockHash internal source;

    function setUp() public override {
        super.setUp();
        source = IBlockHash(_deploy("BlockHashRandomness", ""));
        vm.roll(1000);
    }

    function test_isUnknownWhenScheduled() public {
        uint256 id = source.schedule();
        assertEq(id, 1001);
        assertEq(source.seed(id), 0);
        vm.roll(1001);
        assertEq(source.seed(id), 0, "a block does not know its own hash");
        vm.roll(1002);
        assertEq(source.seed(id), blockhash(1001));
        assertNotEq(source.seed(id), 0);
    }

    function test_storesForGood() public {
        uint256 id = source.schedule();
        vm.expectRevert(abi.encodeWithSelector(IBlockHash.HashUnknown.selector, id, 1000));
        source.store(id);
        vm.roll(1002);
        bytes32 value = blockhash(1001);
        vm.expectEmit(address(source));
        emit IBlockHash.Stored(id, value);
        source.store(id);
        vm.roll(id + 10_000);
        assertEq(source.seed(id), value);
    }

    /// @notice What nobody stored in time is forgotten for ever, not replaced.
    function test_forgets() public {
        uint256 id = source.schedule();
        vm.roll(id + 257);
        assertEq(source.seed(id), 0);
        vm.expectRevert(abi.encodeWithSelector(IBlockHash.HashUnknown.selector, id, id + 257));
        source.store(id);
    }
}
