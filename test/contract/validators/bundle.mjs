/*
 * Makes one file of an installed @rocket.chat/rest-typings, which cannot be loaded as it is.
 *
 *     node bundle.mjs <folder of esbuild> <folder of the installation> <file to write>
 *
 * The packages compile hundreds of schemas while they are loaded, which takes seconds. Here each is
 * compiled when it is first used, by the same library from the same schema.
 */

import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [tools, packages, target] = process.argv.slice(2).map((path) => resolve(path));
const esbuild = createRequire(join(tools, 'package.json'))('esbuild');

const patientAjv = (library) => `
    import Ajv from '${library}';
    export * from '${library}';
    export default class extends Ajv {
        compile(schema, ...rest) {
            let compiled;
            const validate = (data) => {
                compiled ??= super.compile(schema, ...rest);
                const passed = compiled(data);
                validate.errors = compiled.errors;
                return passed;
            };
            return Object.assign(validate, { schema });
        }
    }
`;

const patience = {
    name: 'patient-ajv',
    setup(build) {
        build.onResolve({ filter: /^ajv(\/dist\/2020)?$/ }, ({ namespace, path }) => (
            namespace === 'patient' ? undefined : { path, namespace: 'patient' }));
        build.onLoad({ filter: /.*/, namespace: 'patient' }, ({ path }) => (
            { contents: patientAjv(path), resolveDir: packages }));
    },
};

await esbuild.build({
    stdin: { contents: "export * from '@rocket.chat/rest-typings'", resolveDir: packages },
    bundle: true, platform: 'node', format: 'cjs', logLevel: 'error', outfile: target, plugins: [patience],
});
