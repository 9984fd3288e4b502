import { activatedLogit } from "../activated-logit.ts";
import { adattEpochs } from "../adatt-epochs.ts";
import { decayExempt } from "../decay-exempt.ts";
import { duplicateDefinition } from "../duplicate-definition.ts";
import { expertOutweighs } from "../expert-outweighs.ts";
import { expertUnpreferred } from "../expert-unpreferred.ts";
import { gateStartsClosed } from "../gate-starts-closed.ts";
import { groupOfOne } from "../group-of-one.ts";
import { inBatchMemory } from "../in-batch-memory.ts";
import { largeConstant } from "../large-constant.ts";
import { parameterShare } from "../parameter-share.ts";
import { positivesWeight } from "../positives-weight.ts";
import { scalarErased } from "../scalar-erased.ts";
import { sliceReadTwice } from "../slice-read-twice.ts";
import type { LintRule } from "./rule.ts";

/** Every rule by its code, in order of name. */
export const lintRules: ReadonlyMap<string, LintRule> = new Map(
  [
    activatedLogit,
    adattEpochs,
    decayExempt,
    duplicateDefinition,
    expertOutweighs,
    expertUnpreferred,
    gateStartsClosed,
    groupOfOne,
    inBatchMemory,
    largeConstant,
    parameterShare,
    positivesWeight,
    scalarErased,
    sliceReadTwice,
  ].map((rule) => [rule.code, rule]),
);
