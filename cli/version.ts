export { plecVersion } from "../runtime/version.ts";
