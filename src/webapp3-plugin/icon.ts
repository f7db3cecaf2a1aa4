/* A speech bubble with lines of text, in the colour of the other buttons. */
function bubble(lines: string): string {
    return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24">'
        + `<path fill="currentColor" fill-rule="evenodd" d="M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-9l-5 4v-4H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z${lines}"/></svg>`;
}

export const ICON = {
    main: bubble('M4 5v10h4v2l2.5-2H20V5zM6.5 7.5h11v1.5h-11zM6.5 11h7v1.5h-7z'),
    hover: bubble('M6.5 7.5v1.5h11V7.5zM6.5 11v1.5h7V11z'),
};
